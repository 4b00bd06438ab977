"""What a block does when a run fails or the machine is busy: blind to figures, nothing lost. The rig is a stand-in."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fuselab.errors import JobError
from fuselab.measuring import anew, attempts
from fuselab.measuring.aside import set_aside
from fuselab.measuring.attempts import BlockTask, CaptureTask, VerifyTask
from fuselab.measuring.blocks import QUIET_ATTEMPTS, time_block
from fuselab.measuring.capture import capture
from fuselab.measuring.retries import TRIES, needed
from fuselab.measuring.verify import verify as verify_variant
from fuselab.records.block import read_block, standing
from fuselab.records.failures import rates
from fuselab.records.request import Load, MountConfig, RunRequest
from fuselab.records.verified import Verified
from fuselab.targets.model import Stopping
from fuselab.workflow.layout import holders

ORDER = ("b", "a")


class Record:
    """As much of a RunRecord as blocks look at."""

    def __init__(self, status: str, reason: str | None = None, fault: str | None = None) -> None:
        self.status = status
        self.reason = reason
        self.fault = fault


def config(name: str) -> MountConfig:
    return MountConfig(
        variant=name, target="t", build=None, binary="", argv=(), env=(), files=(), prepare=(), ready_timeout_s=1.0,
        stop=Stopping(), backend="none", persists=True,
    )  # fmt: skip


def task() -> BlockTask:
    mounts = {name: config(name) for name in ORDER}
    return BlockTask("e", "timed", mounts, ORDER, Load("fio", "w", {}), 7, None)


@pytest.fixture
def block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """Time one block with a rig that answers as `statuses` says, run by run."""
    monkeypatch.chdir(tmp_path)

    def run(
        statuses: Callable[[RunRequest, int], Record],
        number: int = 1,
        verified: Sequence[Path] = (),
        pairs: tuple[tuple[str, str], ...] = (),
    ) -> dict[str, Any]:
        seen: list[RunRequest] = []

        def execute(request: RunRequest) -> Record:
            seen.append(request)
            (Path(request.out) / "run.json").write_text("{}")
            return statuses(request, len(seen))

        monkeypatch.setattr(attempts, "execute", execute)
        out = Path("results/e/blocks/w/abc") / f"{number:03d}"
        time_block(replace(task(), pairs=pairs), verified, out)
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

    monkeypatch.setattr(attempts, "execute", execute)
    own = Load("fio", "w", {"jobs": {"w": {"bs": "1m"}}})
    time_block(replace(task(), own_loads={"a": own}), [], Path("results/e/blocks/w/abc/001"))
    assert seen == {"a": replace(own, randseed=7), "b": Load("fio", "w", {}, randseed=7)}


def failing(name: str, times: int = 99, fault: str = "died or refused") -> Callable[..., Record]:
    """A rig in which the first runs of the variant `name` fail."""
    left = [times]

    def answer(request: RunRequest, n: int) -> Record:
        if request.mount.variant != name or left[0] == 0:
            return Record("ok")
        left[0] -= 1
        return Record("failed", "died:\n    last words", fault)

    return answer


def test_a_failed_run_is_repeated_beside_the_others_and_counted(block) -> None:
    record = block(failing("a", 1))
    assert record["runs"] == ["b", "a", "a"], "what ran well beside it is not run again"
    assert [(v["variant"], v["cause"], v["fault"]) for v in record["voided"]] == [
        ("a", "target", "died or refused")
    ]
    assert record["variants"]["a"] == {"status": "ok", "reason": None, "tries": 2}
    assert record["variants"]["b"] == {"status": "ok", "reason": None, "tries": 1}
    assert list(Path("results/e/attempts/timed.w.abc.001").glob("*/a/run.json")), "the failed run is kept"
    assert Path("results/e/blocks/w/abc/001/a/run.json").exists()


def test_a_variant_that_always_fails_is_given_up_and_the_others_are_measured(block) -> None:
    rig = failing("b")
    record = block(rig)
    assert record["runs"] == ["b"] * TRIES + ["a"]
    assert record["variants"]["b"] == {"status": "failed", "reason": "died:\n    last words", "tries": TRIES}
    assert record["variants"]["a"]["status"] == "ok"
    for number in (2, 3):
        record = block(rig, number)
        assert record["runs"] == ["a"], "three tries are enough for the whole workload"
        assert record["variants"]["b"] == {"status": "failed", "reason": "died:\n    last words", "tries": 0}


def test_a_hang_is_not_waited_for_again_in_its_block_and_three_are_enough(block) -> None:
    rig = failing("b", fault="hung")
    assert [block(rig, number)["runs"] for number in (1, 2, 3, 4)] == [["b", "a"]] * 3 + [["a"]]


def test_who_hangs_now_and_then_is_run_in_every_block(block) -> None:
    """`hung in 2 of 9 runs`: the blocks that it completed are compared."""
    for number in range(1, 10):
        record = block(failing("b", int(number in (2, 5)), "hung"), number)
        assert record["runs"] == ["b", "a"]
    found = [read_block(path.parent) for path in sorted(Path("results/e/blocks/w/abc").glob("*/block.json"))]
    so_far = standing(found, "b")
    assert (so_far.tries, so_far.completed) == (9, 7)
    assert rates(so_far.failures, so_far.tries) == "hung in 2 of 9 runs"


def test_runs_that_fail_in_every_block_are_repeated_three_times_in_all(block) -> None:
    """A rate is not bought by three runs a block."""
    counts = [block(failing("b", 1), number)["runs"].count("b") for number in range(1, 7)]
    assert counts == [2, 2, 1, 1, 1, 1]


def test_wrong_data_once_is_enough(block) -> None:
    assert block(failing("b", 1, "wrong data"))["runs"] == ["b", "a"]
    assert block(failing("b", 0), 2)["runs"] == ["a"]


@pytest.mark.parametrize(
    ("pairs", "lost", "runs"),
    [
        ((("b", "a"),), "a", []),
        ((("b", "a"), ("b", "c")), "a", ["b", "c"]),
        ((("b", "a"),), "b", []),
        ((("b", "a"), ("a", "c")), "b", ["a", "c"]),
        ((("b", "a"),), "", ["b", "a", "c"]),
        ((), "b", ["a", "c"]),
    ],
)
def test_nobody_is_run_for_whom_nothing_is_left_to_compare(pairs, lost, runs) -> None:
    """`c` is in no contrast of some: a control."""
    assert needed(["b", "a", "c"], pairs, {lost}) == runs


def test_an_experiment_whose_only_contrast_has_failed_is_not_timed(block) -> None:
    rig = failing("b")
    record = block(rig, pairs=(("a", "b"),))
    assert record["runs"] == ["b"] * TRIES
    assert record["variants"]["a"]["status"] == "left out"
    assert block(rig, 2, pairs=(("a", "b"),))["runs"] == []


def test_a_machine_that_is_never_quiet_is_marked_and_does_not_stop_the_experiment(block) -> None:
    record = block(lambda request, n: Record("void", "busy"))
    assert record["noisy"]
    assert [void["cause"] for void in record["voided"]] == ["environment"] * QUIET_ATTEMPTS
    # The next block no longer waits; every fourth tries again.
    assert block(lambda request, n: Record("void", "busy"), 2)["attempts"] == 1
    assert block(lambda request, n: Record("void", "busy"), 5)["attempts"] == QUIET_ATTEMPTS + 1
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


def verified(folder: Path, **fields: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "verify.json").write_text(
        json.dumps({"variant": "b", "status": "ok", "reason": None, **fields})
    )
    return folder


def test_who_failed_its_verifying_run_is_not_timed_and_the_others_are(block, tmp_path) -> None:
    bad = verified(tmp_path / "b", status="failed", reason="corrupt")
    record = block(lambda request, n: Record("ok"), verified=[bad])
    assert record["runs"] == ["a"]
    assert record["variants"] == {
        "b": {"status": "failed", "reason": "corrupt", "tries": 0},
        "a": {"status": "ok", "reason": None, "tries": 1},
    }


def the_next_call() -> list[str]:
    """What is set aside when Snakemake begins."""
    home = Path("results/e")
    patterns = ("verify/*/*", "blocks/*/*/*", "captures/*/*/*/*/*")
    folders = sorted(path for pattern in patterns for path in home.glob(pattern))
    found = list(anew.failed(folders))
    for one in found:
        set_aside(one, home / "attempts")
    return [str(one.folder.relative_to(home)) for one in found]


def test_the_next_call_tries_who_failed_alone_and_measures_the_others_not_again(block) -> None:
    for number in (1, 2):
        block(failing("b"), number)
    before = Path("results/e/blocks/w/abc/001/a/run.json").stat().st_ino
    assert the_next_call() == ["blocks/w/abc/001", "blocks/w/abc/002"]
    record = block(failing("b"))
    assert record["runs"] == ["b"] * TRIES
    assert record["variants"]["b"]["tries"] == 2 * TRIES, "it failed as often in all"
    assert block(failing("b"), 2)["runs"] == [], "and is given up as before"
    assert Path("results/e/blocks/w/abc/001/a/run.json").stat().st_ino == before


def test_the_next_call_measures_whole_blocks_where_who_failed_completes(block) -> None:
    for number in (1, 2):
        block(failing("b"), number)
    the_next_call()
    assert block(failing("b", 0))["runs"] == ["b", "b", "a"], "alone, and then beside the other"
    assert block(failing("b", 0), 2)["runs"] == ["b", "a"]
    assert the_next_call() == []


def test_blocks_of_who_failed_its_verifying_run_wait_for_the_next_one(block, tmp_path) -> None:
    bad = verified(tmp_path / "b", status="failed", reason="EIO")
    block(failing("b", 0), verified=[bad])
    the_next_call()
    assert block(failing("b", 0), verified=[bad])["runs"] == [], "it failed again: what was measured stands"
    the_next_call()
    good = verified(tmp_path / "b")
    assert block(failing("b", 0), verified=[good])["runs"] == ["b", "b", "a"]
    assert the_next_call() == []


def test_who_completes_some_blocks_has_a_rate_that_no_call_wipes_out(block) -> None:
    for number in (1, 2, 3):
        block(failing("b", int(number == 2), "hung"), number)
    assert the_next_call() == []


@pytest.fixture
def verify(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """Verify a variant with a rig that fails as `faults` says, run by run; None completes."""
    monkeypatch.chdir(tmp_path)

    def run(*faults: str | None, baseline: bool = False) -> dict[str, Any]:
        answers = iter(faults)

        def execute(request: RunRequest) -> Record:
            fault = next(answers)
            (Path(request.out) / "run.json").write_text("{}")
            return Record("ok") if fault is None else Record("failed", "EIO at fsync", fault)

        monkeypatch.setattr(attempts, "execute", execute)
        out = Path("results/e/verify/b/abc")
        verify_variant(VerifyTask("e", config("b"), baseline, None), out)
        assert next(answers, "all asked for") == "all asked for"
        assert (out / "run.json").exists()
        record: dict[str, Any] = json.loads((out / "verify.json").read_text())
        return record

    return run


DIED = "died or refused"


@pytest.mark.parametrize(
    ("faults", "status", "rate"),
    [
        ((None,), "ok", "failed its verifying run"),
        ((DIED, None, None), "ok", "failed in 1 of 3 verifying runs"),
        ((DIED, "hung"), "failed", "failed in 1 of 2 verifying runs, hung in 1"),
        ((DIED, None, DIED), "failed", "failed in 2 of 3 verifying runs"),
        (("wrong data",), "failed", "returned wrong data in its only verifying run"),
        ((DIED, "wrong data"), "failed", "failed in 1 of 2 verifying runs, returned wrong data in 1"),
    ],
)
def test_a_failed_verifying_run_is_tried_again_but_wrong_data_is_a_fact(verify, faults, status, rate) -> None:
    record = verify(*faults)
    assert record["status"] == status
    assert (record["reason"] is None) == (status == "ok")
    assert msgspec.convert(record, Verified).rate == rate


def test_the_next_call_verifies_anew_and_remembers(verify) -> None:
    verify(DIED, DIED)
    assert the_next_call() == ["verify/b/abc"]
    record = verify(None)
    assert (record["status"], record["tries"], len(record["failures"])) == ("ok", 3, 2)
    assert the_next_call() == []


def test_a_baseline_ends_the_experiment_only_if_it_fails_again(verify) -> None:
    assert verify(DIED, None, None, baseline=True)["status"] == "ok"
    with pytest.raises(JobError, match="the baseline, `b`, failed in 2 of 2 verifying runs:\nEIO at fsync"):
        verify(DIED, DIED, baseline=True)


@pytest.mark.parametrize(
    ("faults", "status", "tries"),
    [((DIED, None), "ok", 2), ((DIED, DIED), "failed", 2), (("hung",), "failed", 1)],
)
def test_a_failed_capture_is_tried_again_and_by_the_next_call(
    tmp_path, monkeypatch, faults, status, tries
) -> None:
    monkeypatch.chdir(tmp_path)
    answers = iter(faults)

    def execute(request: RunRequest) -> Record:
        fault = next(answers)
        return Record("ok") if fault is None else Record("failed", "died", fault)

    monkeypatch.setattr(attempts, "execute", execute)
    out = Path("results/e/captures/b/w/perf-oncpu/abc/001")
    capture(CaptureTask("e", config("b"), Load("fio", "w", {}), 7, None), [], out)
    record = json.loads((out / "capture.json").read_text())
    assert (record["status"], record["tries"]) == (status, tries)
    assert the_next_call() == (["captures/b/w/perf-oncpu/abc/001"] if status == "failed" else [])


@pytest.mark.parametrize(
    ("reasons", "fault", "runs"),
    [(["panicked"] * 3, DIED, 0), (["panicked", "panicked", "no space"], DIED, 2), (["hung"] * 3, "hung", 1)],
)
def test_nobody_looks_at_who_failed_three_timed_runs_in_one_way(
    block, monkeypatch, reasons, fault, runs
) -> None:
    """But at who hangs, which the capture explains, and at who fails in several ways."""
    blocks = 3 if fault == "hung" else 1
    answers = iter(reasons)
    for number in range(1, blocks + 1):
        block(
            lambda r, n: Record("failed", next(answers), fault) if r.mount.variant == "b" else Record("ok"),
            number,
        )
    looked: list[RunRequest] = []

    def execute(request: RunRequest) -> Record:
        looked.append(request)
        return Record("failed", "again", fault)

    monkeypatch.setattr(attempts, "execute", execute)
    out = Path("results/e/captures/b/w/perf-oncpu/abc/001")
    asked = CaptureTask("e", config("b"), Load("fio", "w", {}), 7, None, blocks="results/e/blocks/w/abc")
    capture(asked, [], out)
    assert len(looked) == runs
    record = json.loads((out / "capture.json").read_text())
    assert record["status"] == "failed"
    assert ("3 of 3 timed runs, always the same way: panicked" in record["reason"]) == (runs == 0)


def test_results_that_cannot_be_written_end_snakemake_with_one_sentence(tmp_path):
    (tmp_path / "results").write_text("a file, which holds no folders")
    with pytest.raises(
        SystemExit, match=r"the folder .*/blocks cannot be made .*a folder that may be written"
    ):
        holders([str(tmp_path / "results/e/blocks/001")])
