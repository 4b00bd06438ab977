"""What a block does when a run fails or the machine is busy: blind to figures, nothing lost. The rig is a stand-in."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fuselab import measure
from fuselab.layout import holders
from fuselab.measure import BlockTask, time_block
from fuselab.rig.request import Load, MountConfig, RunRequest
from fuselab.target.model import StopSpec

ORDER = ("b", "a")


class Record:
    """As much of a RunRecord as blocks look at."""

    def __init__(self, status: str, reason: str | None = None) -> None:
        self.status = status
        self.reason = reason


def config(name: str) -> MountConfig:
    return MountConfig(
        variant=name, target="t", build=None, binary="", argv=(), env=(), files=(), prepare=(), ready_timeout_s=1.0,
        stop=StopSpec(), backend="none", persists=True, service=None,
    )  # fmt: skip


def task() -> BlockTask:
    mounts = {name: config(name) for name in ORDER}
    return BlockTask("e", "timed", mounts, ORDER, Load("fio", "w", {}), 7, None)


@pytest.fixture
def block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """Time one block with a rig that answers as `statuses` says, run by run."""
    monkeypatch.chdir(tmp_path)

    def run(
        statuses: Callable[[RunRequest, int], Record], number: int = 1, verified: Sequence[Path] = ()
    ) -> dict[str, Any]:
        seen: list[RunRequest] = []

        def execute(request: RunRequest) -> Record:
            seen.append(request)
            (Path(request.out) / "run.json").write_text("{}")
            return statuses(request, len(seen))

        monkeypatch.setattr(measure, "execute", execute)
        out = Path("results/e/blocks/w/abc") / f"{number:03d}"
        time_block(task(), verified, out)
        record: dict[str, Any] = json.loads((out / "block.json").read_text())
        return record | {"runs": [r.mount.variant for r in seen], "seeds": {r.load.randseed for r in seen}}

    return run


def test_every_variant_runs_once_in_the_blocks_order(block) -> None:
    record = block(lambda request, n: Record("ok"))
    assert record["runs"] == ["b", "a"]
    assert (record["attempts"], record["voided"], record["noisy"]) == (1, [], False)
    assert not list(Path("results/e/attempts").iterdir())


def test_a_variant_with_a_load_of_its_own_gets_that_and_the_blocks_seed(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    seen: dict[str, Load] = {}

    def execute(request: RunRequest) -> Record:
        seen[request.mount.variant] = request.load
        (Path(request.out) / "run.json").write_text("{}")
        return Record("ok")

    monkeypatch.setattr(measure, "execute", execute)
    own = Load("fio", "w", {"jobs": {"w": {"bs": "1m"}}})
    time_block(replace(task(), own_loads={"a": own}), [], Path("results/e/blocks/w/abc/001"))
    assert seen == {"a": replace(own, randseed=7), "b": Load("fio", "w", {}, randseed=7)}


def test_a_failed_run_voids_its_block_which_is_run_again_and_counted(block) -> None:
    record = block(lambda request, n: Record("failed", "died") if n == 2 else Record("ok"))
    assert record["runs"] == ["b", "a", "b", "a"]
    assert record["attempts"] == 2
    assert record["voided"] == [{"attempt": 1, "variant": "a", "cause": "target", "reason": "died"}]
    assert {v["status"] for v in record["variants"].values()} == {"ok"}
    kept = Path("results/e/attempts/timed.w.abc.001/1")
    assert (kept / "b/run.json").exists()


def test_a_variant_that_always_fails_is_left_out_and_the_others_are_measured(block) -> None:
    record = block(
        lambda request, n: Record("failed", "died") if request.mount.variant == "b" else Record("ok")
    )
    assert record["variants"]["b"] == {"status": "failed", "reason": "died"}
    assert record["variants"]["a"]["status"] == "ok"
    assert record["attempts"] == measure.FAILURES + 1


def test_a_machine_that_is_never_quiet_is_marked_and_does_not_stop_the_experiment(block) -> None:
    record = block(lambda request, n: Record("void", "busy"))
    assert record["noisy"]
    assert [void["cause"] for void in record["voided"]] == ["environment"] * measure.QUIET_ATTEMPTS
    # The next block no longer waits; every fourth tries again.
    assert block(lambda request, n: Record("void", "busy"), 2)["attempts"] == 1
    assert block(lambda request, n: Record("void", "busy"), 5)["attempts"] == measure.QUIET_ATTEMPTS + 1
    assert not block(lambda request, n: Record("ok"), 3)["noisy"]


def test_every_attempt_repeats_the_same_order_and_the_same_offsets(block) -> None:
    record = block(lambda request, n: Record("void", "busy") if n == 1 else Record("ok"))
    assert record["runs"] == ["b", "b", "a"], "what is left of a void block is not run"
    assert record["seeds"] == {7}
    assert (record["order"], record["noisy"]) == (["b", "a"], False), "the attempt that counts was quiet"


def test_a_run_that_fails_now_and_then_on_a_busy_machine_still_ends(block) -> None:
    answers = iter(["void", "failed", "void", "failed", *["void"] * 10])
    record = block(lambda request, n: Record(next(answers), "so it was"))
    assert [void["cause"] for void in record["voided"]] == ["environment", "target"] * 2
    assert record["noisy"]
    assert {v["status"] for v in record["variants"].values()} == {"ok"}


def test_who_failed_its_verifying_run_is_not_timed_and_the_others_are(block, tmp_path) -> None:
    verified = tmp_path / "verify/b"
    verified.mkdir(parents=True)
    (verified / "verify.json").write_text(
        json.dumps({"variant": "b", "status": "failed", "reason": "corrupt"})
    )
    record = block(lambda request, n: Record("ok"), verified=[verified])
    assert record["runs"] == ["a"]
    assert record["variants"] == {
        "b": {"status": "failed", "reason": "corrupt"},
        "a": {"status": "ok", "reason": None},
    }


def test_results_that_cannot_be_written_end_snakemake_with_one_sentence(tmp_path):
    (tmp_path / "results").write_text("a file, which holds no folders")
    with pytest.raises(
        SystemExit, match=r"the folder .*/blocks cannot be made .*a folder that may be written"
    ):
        holders([str(tmp_path / "results/e/blocks/001")])
