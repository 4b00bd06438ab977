"""From the folders of blocks to comparisons.csv: whatever things are called, and whatever went wrong in between."""

from __future__ import annotations

import csv
import json
import math
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pandas as pd
import pytest
from tests.unit.records.made_up import environment, run_record

from fuselab.compare.comparisons import frame, judge
from fuselab.compare.curves import losses
from fuselab.jobs.compare import attrition, write_comparisons
from fuselab.jobs.look import take_look
from fuselab.jobs.metrics import write_metrics
from fuselab.records.block import BlockRecord, VariantOutcome, Void
from fuselab.records.comparison import Comparison
from fuselab.records.design import Design
from fuselab.records.failures import Failure
from fuselab.records.metrics import Sample
from fuselab.records.plan import Verifying
from fuselab.records.table import read_rows
from fuselab.records.verified import Verified
from fuselab.workloads.command.kind import Outcome

KINDS = {"w": "command"}


def judgement(*variants: str, **changes: Any) -> Design:
    """The first variant is the baseline of the others; all run one command."""
    said: dict[str, Any] = {
        "experiment": "e", "baseline": variants[0], "contrasts": tuple((variants[0], v) for v in variants[1:]),
        "workloads": ("w",), "primary": ("command.wall_s",), "threshold": 0.05, "blocks": 12, "controls": (),
        "closed_loop": (),
    }  # fmt: skip
    return Design(**{**said, **changes})


def run(folder: Path, variant: str, block: int, wall_s: float, gate_passed: bool) -> None:
    folder.mkdir(parents=True)
    record = run_record(variant=variant, block=block, environment=environment(gate={"passed": gate_passed}))
    (folder / "run.json").write_bytes(msgspec.json.encode(record))
    (folder / "command.json").write_bytes(msgspec.json.encode(Outcome(wall_s, 0)))


class Experiment:
    """Blocks as the rig leaves them: `times[variant]` seconds, a little more in every block."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.blocks: list[Path] = []

    def block(
        self,
        times: dict[str, float],
        failed: dict[str, str] | None = None,
        voided: tuple[Void, ...] = (),
        gate_passed: bool = True,
    ) -> None:
        number = len(self.blocks) + 1
        folder = self.root / "blocks" / f"{number:03d}"
        wobble = 1 + 0.001 * number
        for place, (variant, wall_s) in enumerate(times.items()):
            run(folder / variant, variant, number, wall_s * wobble * math.exp(1e-4 * place), gate_passed)
        outcomes = {name: VariantOutcome("ok") for name in times}
        outcomes |= {
            name: VariantOutcome("failed", reason, len(voided)) for name, reason in (failed or {}).items()
        }
        record = BlockRecord(
            number, "w", "timed", tuple(outcomes), 1, outcomes, 1 + len(voided), voided, False
        )
        folder.mkdir(exist_ok=True)
        (folder / "block.json").write_bytes(msgspec.json.encode(record))
        self.blocks.append(folder)

    def judge(self, said: Design) -> dict[str, dict[str, str]]:
        """Rows of comparisons.csv by variant."""
        metrics, out = self.root / "metrics.csv", self.root / "comparisons.csv"
        write_metrics(self.blocks, KINDS, metrics)
        write_comparisons(said, metrics, self.blocks, [], [], out)
        with out.open(newline="") as file:
            return {row["variant"]: row for row in csv.DictReader(file)}

    def look(self, said: Design) -> int | None:
        out = self.root / "look.json"
        take_look(said, "w", self.blocks, KINDS, out)
        found: int | None = json.loads(out.read_text())["next"]
        return found


def read_metrics(path: Path) -> pd.DataFrame:
    return frame(read_rows(path, Sample))


def judged(
    metrics: pd.DataFrame, said: Design, experiment: Experiment, verified: Verified | None = None
) -> Comparison:
    """The one row that there is."""
    runs = {} if verified is None else {Verifying(verified.variant, "0123456789ab", said.workloads): verified}
    return judge(metrics, said, attrition(experiment.blocks, runs, said.workloads))[0]


def written(experiment: Experiment) -> Path:
    """metrics.csv of its blocks."""
    path = experiment.root / "metrics.csv"
    write_metrics(experiment.blocks, KINDS, path)
    return path


@pytest.fixture
def experiment(tmp_path: Path) -> Experiment:
    return Experiment(tmp_path)


@pytest.mark.parametrize(
    "names", [("1", "2"), ("NA", "null"), ("1.0", "1"), ("nan", "True"), ("0x10", "1e3")]
)
def test_variants_may_be_called_what_a_table_takes_for_something_else(experiment, names):
    for _ in range(12):
        experiment.block({names[0]: 1.0, names[1]: 1.5})
    rows = experiment.judge(judgement(*names))
    assert (rows[names[1]]["verdict"], rows[names[1]]["blocks"]) == ("slower", "12")
    assert float(rows[names[1]]["ratio"]) == pytest.approx(1.5, rel=1e-3)
    assert experiment.look(judgement(*names, blocks="auto")) is None


def test_a_value_that_is_no_number_is_missing_and_not_dropped(tmp_path):
    path = tmp_path / "metrics.csv"
    path.write_text("experiment,workload,block,variant,metric,unit,value,better,tail_ios,slope\n"
                    "e,w,1,a,m,,nan,lower,,\ne,w,1,b,m,,2.5,lower,7,-0.5\n")  # fmt: skip
    found = read_metrics(path)
    assert found["value"].isna().tolist() == [True, False]
    second = found.to_dict("records")[1]
    assert (second["unit"], second["value"], second["tail_ios"], second["slope"]) == ("", 2.5, 7.0, -0.5)


HUNG = Void(1, "b", "target", "hung: no progress for 20 s; somewhere\n    last words", "hung")


def test_a_variant_that_hung_in_some_blocks_is_judged_by_the_others_and_its_rate_stands_beside(experiment):
    for number in range(12):
        if number in (3, 7):
            experiment.block({"a": 1.0}, failed={"b": HUNG.reason}, voided=(HUNG,))
        else:
            experiment.block({"a": 1.0, "b": 0.5})
    row = experiment.judge(judgement("a", "b"))["b"]
    assert (row["verdict"], row["blocks"]) == ("faster", "10")
    assert row["note"].startswith(
        "`b` hung in 2 of 12 runs (hung: no progress for 20 s; somewhere); "
        "compared are the runs that both completed, not those of 2 blocks; "
        "blocks in which a run failed: `b` 2 of 12, `a` none of 12 (Fisher's exact test: p = 0.48)"
    )
    assert experiment.look(judgement("a", "b", blocks="auto")) is None, "more blocks would not help"


def test_a_variant_that_never_completed_has_failed_with_its_rate(experiment):
    for number in range(12):
        experiment.block({"a": 1.0}, failed={"b": HUNG.reason}, voided=(HUNG,) if number < 3 else ())
    row = experiment.judge(judgement("a", "b"))["b"]
    assert (row["verdict"], row["ratio"]) == ("failed", "")
    assert row["note"].startswith("hung in 3 of 3 runs: hung: no progress")
    assert experiment.look(judgement("a", "b", blocks="auto")) is None


def test_a_variant_that_returned_wrong_data_once_has_failed_however_fast_it_is(experiment):
    wrong = replace(HUNG, fault="wrong data", reason="what was read back is not what was written")
    for number in range(12):
        experiment.block({"a": 1.0, "b": 0.5}, voided=(wrong,) if number == 4 else ())
    row = experiment.judge(judgement("a", "b"))["b"]
    assert row["verdict"] == "failed"
    assert row["note"].startswith("returned wrong data in 1 of ")


def test_runs_that_are_missing_without_a_failure_decide_nothing(experiment):
    """Judging a variant by the blocks it survived would be judging it by its outcome, where nobody says why."""
    for _ in range(12):
        experiment.block({"a": 1.0, "b": 0.5})
    metrics = read_metrics(written(experiment))
    lost = metrics[(metrics["variant"] != "b") | (metrics["block"] != 5)]
    row = judged(lost, judgement("a", "b"), experiment)
    assert (row.verdict, row.note.split(";")[0]) == (
        "inconclusive",
        "one side has no value in 1 of 12 blocks",
    )


def test_a_verifying_run_that_failed_once_is_a_caveat_and_twice_a_failure(experiment):
    for _ in range(12):
        experiment.block({"a": 1.0, "b": 0.5})
    eio = Failure("died or refused", "EIO at fsync:\n    last words")
    for verified, verdict, note in (
        (
            Verified("b", "ok", None, 3, (eio,)),
            "faster",
            "`b` failed in 1 of 3 verifying runs (EIO at fsync)",
        ),
        (
            Verified("b", "failed", eio.reason, 3, (eio, eio)),
            "failed",
            "failed in 2 of 3 verifying runs: EIO at fsync",
        ),
    ):
        row = judged(read_metrics(written(experiment)), judgement("a", "b"), experiment, verified)
        assert (row.verdict, row.note.startswith(note)) == (verdict, True), row.note


def test_who_fails_as_mounted_at_one_point_has_failed_there_and_on_the_curve(experiment):
    said = judgement("a", "b", workloads=("w", "c-1", "c-2"), curves={"c": ("c-1", "c-2")})
    eio = Failure("died or refused", "EIO at fsync")
    runs = {
        Verifying("b", "0" * 12, ("w",)): Verified("b", "ok"),
        Verifying("b", "1" * 12, ("c-1",)): Verified("b", "failed", eio.reason, 3, (eio, eio)),
        Verifying("b", "2" * 12, ("c-2",)): Verified("b", "ok", None, 3, (eio,)),
    }
    found = losses(attrition([], runs, said.workloads), said.curves)
    reason = "failed in 2 of 3 verifying runs: EIO at fsync"
    failures = {name: found.failure(("a", "b"), name) for name in ("w", "c-1", "c-2", "c")}
    assert failures == {"w": None, "c-1": reason, "c-2": None, "c": f"{reason} (under `c-1`)"}
    assert found.failure_rates["b", "c-2"] == "failed in 1 of 3 verifying runs (EIO at fsync)"
    assert ("b", "w") not in found.failure_rates
    assert ("b", "") not in found.failure_rates


def test_a_variant_is_not_blamed_for_its_baseline(experiment):
    for _ in range(12):
        experiment.block({"b": 1.0, "c": 1.01}, failed={"a": "hung"})
    rows = experiment.judge(judgement("a", "b", contrasts=(("a", "b"), ("b", "c"))))
    assert (rows["b"]["verdict"], rows["b"]["note"]) == ("failed", "its baseline, `a`, failed: hung")
    assert rows["c"]["verdict"] == "slower, below threshold"


def test_repeated_blocks_are_counted_and_change_nothing_else(experiment):
    void = Void(1, "b", "environment", "busy")
    for number in range(12):
        experiment.block({"a": 1.0, "b": 1.5}, voided=(void, void) if number == 3 else ())
    row = experiment.judge(judgement("a", "b"))["b"]
    assert (row["verdict"], row["voided"], row["blocks"]) == ("slower", "2", "12")


def test_runs_that_a_gate_let_through_in_vain_are_told_of(experiment):
    for number in range(12):
        experiment.block({"a": 1.0, "b": 1.5}, gate_passed=number != 0)
    assert "not quiet before 2 of 24 runs" in experiment.judge(judgement("a", "b"))["b"]["note"]


def test_auto_goes_on_where_twelve_blocks_do_not_decide_and_stops_where_they_do(experiment):
    auto, rng = judgement("a", "b", blocks="auto"), random.Random(6)
    for number in range(32):
        if number in (12, 20):
            assert experiment.look(auto) == {12: 20, 20: 32}[number]
        experiment.block({"a": 1.0, "b": math.exp(rng.gauss(0, 0.3))})
    assert experiment.look(auto) is None, "there is no fourth look"
    row = experiment.judge(auto)["b"]
    assert (row["verdict"], row["blocks"], row["level"]) == ("inconclusive", "32", "0.978")
