"""A curve is judged as one, by the mean log ratio over its points; its points are judged beside it."""

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from fuselab.compare.attrition import Attrition, FailedVariant
from fuselab.compare.comparisons import decide_look, family_size, judge
from fuselab.records.comparison import Comparison
from fuselab.records.design import Design

POINTS = ("curve-iodepth-1", "curve-iodepth-4", "curve-iodepth-16")
DESIGN = Design(
    experiment="curve",
    baseline="old",
    contrasts=(("old", "new"), ("old", "other")),
    workloads=(*POINTS, "plain"),
    primary=("write.bw", "write.p99"),
    curves={"curve": POINTS},
)


def runs(
    effects: Mapping[str, tuple[float, ...]], blocks: int = 12, sd: float = 0.02, seed: int = 1
) -> pd.DataFrame:
    """Runs of each variant at each point, `effects` on ln(value) by point; `plain` has none."""
    rng = np.random.default_rng(seed)
    rows = []
    for point, workload in enumerate((*POINTS, "plain")):
        for block in range(1, blocks + 1):
            for variant, effect in effects.items():
                shift = effect[point] if workload in POINTS else 0.0
                for metric, better in (("write.bw", "higher"), ("write.p99", "lower")):
                    value = 1e6 * (point + 1) * math.exp(shift + rng.normal(0, sd))
                    rows.append((workload, block, variant, metric, "B/s", value, better, 500))
    names = ["workload", "block", "variant", "metric", "unit", "value", "better", "tail_ios"]
    return pd.DataFrame(rows, columns=names)


NOTHING: dict[str, tuple[float, ...]] = {"old": (0.0,) * 3, "new": (0.0,) * 3, "other": (0.0,) * 3}


def found(
    rows: list[Comparison], workload: str, variant: str = "new", metric: str = "write.bw"
) -> Comparison:
    (one,) = (r for r in rows if (r.workload, r.variant, r.metric) == (workload, variant, metric))
    return one


def test_its_ratio_and_p_are_those_of_the_mean_log_ratios_as_scipy_finds_them() -> None:
    measured = runs(NOTHING | {"new": (0.03, 0.0, 0.02)})
    row = found(judge(measured, DESIGN), "curve")
    wide = measured[(measured["metric"] == "write.bw") & measured["workload"].isin(POINTS)].pivot(
        index="block", columns=["workload", "variant"], values="value"
    )
    logs = sum(np.log(wide[point]["new"] / wide[point]["old"]) for point in POINTS) / len(POINTS)
    expected = stats.wilcoxon(logs, method="exact")
    assert row.p == pytest.approx(expected.pvalue)
    walsh = [(a + b) / 2 for i, a in enumerate(logs) for b in logs[i:]]
    assert row.ratio == pytest.approx(math.exp(np.median(walsh)))
    assert row.blocks == 12


def test_it_is_one_comparison_of_the_primary_family_and_its_points_are_a_family_of_their_own() -> None:
    rows = judge(runs(NOTHING), DESIGN)
    primary = {(r.workload, r.variant, r.metric) for r in rows if r.family == "primary"}
    assert {w for w, _, _ in primary} == {"curve", "plain"}
    assert len(primary) == family_size(runs(NOTHING), DESIGN) == 2 * 2 * 2
    points = [r for r in rows if r.family == "point"]
    assert {r.workload for r in points} == set(POINTS)
    assert {r.correction for r in points} == {"Benjamini-Hochberg over 12, points of a curve"}
    expected = stats.false_discovery_control([r.p for r in points], method="bh")
    assert [r.p_adjusted for r in points] == pytest.approx(list(expected))


def test_variants_that_cross_differ_at_points_and_not_over_the_whole_curve() -> None:
    rows = judge(runs(NOTHING | {"new": (0.3, 0.0, -0.3)}), DESIGN)
    assert found(rows, "curve").word == "no difference shown"
    assert [found(rows, point).word for point in POINTS] == ["faster", "no difference shown", "slower"]


def test_a_block_without_one_of_its_points_is_no_block_of_the_curve() -> None:
    measured = runs(NOTHING)
    gone = (measured["workload"] == POINTS[1]) & (measured["block"] == 3) & (measured["variant"] == "new")
    explained = Attrition(lost={("new", POINTS[1]): frozenset({3})})
    row = found(judge(measured[~gone], DESIGN, explained), "curve")
    assert (row.blocks, row.word) == (11, "no difference shown")
    silent = found(judge(measured[~gone], DESIGN), "curve")
    assert silent.word == "inconclusive"
    assert "no value in 1 of 12 blocks" in silent.note


def test_its_note_of_a_machine_that_was_not_quiet_speaks_of_the_runs_of_all_its_points() -> None:
    measured = runs(NOTHING).assign(busy_start=1)
    note = "the machine was not quiet before {} of {} runs, which started all the same"
    rows = judge(measured, DESIGN)
    assert note.format(24, 24) in found(rows, POINTS[0]).note
    assert note.format(72, 72) in found(rows, "curve").note
    quiet = (measured["workload"] == POINTS[1]) | (measured["block"] > 2)
    rows = judge(measured.assign(busy_start=(~quiet).astype(int)), DESIGN)
    assert note.format(8, 72) in found(rows, "curve").note
    assert "not quiet" not in found(rows, POINTS[1]).note


def test_who_fails_at_one_point_has_no_curve_and_keeps_the_other_points() -> None:
    measured = runs(NOTHING)
    gone = (measured["workload"] == POINTS[2]) & (measured["variant"] == "new")
    failed = Attrition((FailedVariant("hung in 3 of 3 runs: no progress\nlast words", "new", POINTS[2]),))
    rows = judge(measured[~gone], DESIGN, failed)
    assert found(rows, "curve").word == "failed"
    assert found(rows, "curve").note.startswith(
        f"hung in 3 of 3 runs: no progress (under `{POINTS[2]}`)\nlast words"
    )
    assert found(rows, POINTS[2]).word == "failed"
    assert found(rows, POINTS[0]).word == "no difference shown"
    assert found(rows, "curve", "other").word == "no difference shown"


def test_a_point_at_which_nobody_ran_has_failed_too() -> None:
    ran = runs(NOTHING)
    everybody = tuple(FailedVariant("no data", name, POINTS[0]) for name in ("old", "new", "other"))
    rows = judge(ran[ran["workload"] != POINTS[0]], DESIGN, Attrition(everybody))
    assert found(rows, POINTS[0]).verdict == found(rows, "curve").verdict == "failed"
    assert found(rows, POINTS[0]).family == "point"
    assert found(rows, POINTS[1]).verdict != "failed"


def test_a_tail_that_is_too_thin_at_one_point_is_not_shown_of_the_curve() -> None:
    measured = runs(NOTHING)
    measured.loc[(measured["workload"] == POINTS[0]) & (measured["block"] == 1), "tail_ios"] = 3
    assert "fewer than 10" in found(judge(measured, DESIGN), "curve", metric="write.p99").note


def test_one_look_at_a_curve_is_a_look_at_all_of_its_points() -> None:
    auto = replace(DESIGN, blocks="auto")
    clear, unclear = runs(NOTHING), runs(NOTHING, sd=0.3)
    for point in POINTS:
        assert decide_look(clear, auto, point, 12) is None
        assert decide_look(unclear, auto, point, 12) == 20
