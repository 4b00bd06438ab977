"""What measured jobs do: verify a variant, time a block, take a capture.

A run is made below `results/<experiment>/attempts/` and moved to its place by one rename when it is whole, so a
killed job never leaves half a block where a whole one belongs, and what was measured until then is kept.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, TypeVar

import msgspec

from fuselab.job import JobError
from fuselab import anew
from fuselab.files import rename, write_json
from fuselab.outcomes import (
    LEFT_OUT,
    BlockRecord,
    CaptureRecord,
    Failure,
    VariantOutcome,
    Verified,
    Void,
    earlier_blocks,
    failures_of,
    read_block,
    read_verified,
    standing,
)
from fuselab.rig.record import RunRecord
from fuselab.rig.request import Load, MountConfig, Purpose, RunRequest
from fuselab.rig.run import execute
from fuselab.sums import write_sums
from fuselab.tries import Pair, again, given_up, needed, passed, verified_enough

T = TypeVar("T")

CAPTURES_TRIED = 2
"""How often a capture is made that the variant does not complete."""
QUIET_ATTEMPTS = 2
"""How often a block waits for a quiet machine; the next attempt is kept, and marked, however noisy it was."""
NO_PATIENCE = "FUSELAB_NO_PATIENCE"
"""Set in the environment: runs start at once, and blocks are kept at their first attempt, marked where the machine was
busy. For machines that are never quiet, where all waiting is in vain."""
_NO_GATE_S = 0.1
STATE_ROOT = "results/state"


@dataclass(frozen=True)
class VerifyTask:
    experiment: str
    mount: MountConfig
    baseline: bool
    """The first variant: nothing can be compared without it, so its failure ends the experiment."""
    state: str | None
    code: str = ""
    """Hash of the code that is to measure, as it was when the DAG was made; empty: whichever there is."""


@dataclass(frozen=True)
class BlockTask:
    experiment: str
    purpose: Literal["timed", "cost"]
    mounts: dict[str, MountConfig]
    """By the name of the run's folder: the variant, or what a cost block calls its runs."""
    order: tuple[str, ...]
    load: Load
    randseed: int
    state: str | None
    own_loads: dict[str, Load] = field(default_factory=dict)
    """Of the runs whose variant changes a setting of `load`."""
    pairs: tuple[Pair, ...] = ()
    """The contrasts that the runs are for: who has nothing left to be compared with is not run. None: all are run."""
    code: str = ""


@dataclass(frozen=True)
class CaptureTask:
    experiment: str
    mount: MountConfig
    load: Load
    randseed: int
    state: str | None
    code: str = ""


def verify(task: VerifyTask, out: Path) -> None:
    """Write, mount again, read back; leave verify.json and run.json in `out`. A failing baseline is a JobError.

    A failure is tried again: two of three runs must pass, and none may read back anything but what was written.
    """
    config = task.mount
    load = Load(kind="fio", workload="verify", settings={})
    failures: list[Failure] = []
    tries, good = 0, None
    while not (tries and verified_enough(tries, failures)):
        tries += 1
        attempt = _attempt(task.experiment, "verify", config.variant, out.name)
        record = _execute("verify", task, config, load, attempt / "run")
        if record.status == "failed":
            failures.append(_failure(record))
            _say(f"verifying run {tries} of {config.variant} failed: {record.reason}")
        else:
            good = attempt
    before = _before(out, "verify.json", Verified)
    all_failures = (*before.failures, *failures) if before else tuple(failures)
    status: Literal["ok", "failed"] = "ok" if passed(tries, failures) else "failed"
    reason = failures[-1].reason if status == "failed" else None
    verified = Verified(config.variant, status, reason, tries + (before.tries if before else 0), all_failures)
    if status == "failed" and task.baseline:
        raise JobError(f"the baseline, `{config.variant}`, {verified.rate}:\n{reason}")
    settled = good if good is not None and status == "ok" else attempt
    write_json(settled / "run" / "verify.json", verified)
    _settle(settled / "run", out)
    _put_away(out)


def time_block(task: BlockTask, verified: Sequence[Path], out: Path) -> None:
    """Run every variant once, in `task.order`, and again what fails; the whole block again when the machine was busy.

    A variant that does not complete is left out of this block and recorded as failed, and so is whoever would have
    been compared with it alone. When the machine is too busy in every attempt, the last one is kept and marked.
    Neither looks at what was measured.
    """
    Block(task, read_verified(verified), out).make()


class Block:
    """One block while it is made."""

    def __init__(self, task: BlockTask, verified: Mapping[str, Verified], out: Path) -> None:
        self._task = task
        self._out = out
        self._earlier = earlier_blocks(out)
        self._old = _before(out, "block.json", BlockRecord)
        self._voided: list[Void] = []
        self._attempts = 0
        self._lost: dict[str, str] = {}
        """Why those are not run (any more) who are not."""
        for name, config in task.mounts.items():
            if config.variant in verified and verified[config.variant].status == "failed":
                self._lost[name] = verified[config.variant].reason or ""
            elif given_up(so_far := standing(self._earlier, name)):
                self._lost[name] = so_far.failures[-1].reason

    def make(self) -> None:
        # What other code has measured is not mixed with what this one does.
        if self._old is not None and self._old.code == self._task.code and self._failed_again(self._old):
            kept = anew.kept(self._out)
            assert kept is not None
            anew.done(kept)
            self._finish(kept, self._old.noisy)
            return
        while True:
            attempt = self._attempt()
            keep = self._busy() >= _patience(self._out)
            void, noisy = self._once(attempt, keep_noisy=keep)
            if void is None:
                break
            self._note(void)
        self._finish(attempt, noisy)

    def _failed_again(self, old: BlockRecord) -> bool:
        """Whether those who failed in the block that was set aside do it again: then what is in it stands.

        Each runs alone first. Only beside one who completes are the others measured again, for runs of different
        days are no block.
        """
        for name in self._order():
            failed = old.variants[name].status == "failed" if name in old.variants else False
            if failed and standing(self._earlier, name).completed == 0:
                self._run(name, self._attempt())
        return all(name in old.variants and old.variants[name].status == "ok" for name in self._order())

    def _order(self) -> list[str]:
        return needed(self._task.order, self._task.pairs, self._lost)

    def _busy(self) -> int:
        return sum(void.cause == "environment" for void in self._voided)

    def _once(self, attempt: Path, keep_noisy: bool) -> tuple[Void | None, bool]:
        """One attempt of a block: what voided it, None if its runs count; and whether any was noisy."""
        noisy = False
        for name in self._order():
            if name not in self._order():  # lost since: whoever is compared with the one that failed
                continue
            record = self._run(name, attempt)
            if record.status == "void" and not keep_noisy:
                return Void(self._attempts, name, "environment", record.reason or ""), True
            noisy |= record.status == "void"
        return None, noisy

    def _run(self, name: str, attempt: Path) -> RunRecord:
        """A run, and again as long as it fails and there is use in that. What failed lies beside the attempt."""
        task = self._task
        load = replace(task.own_loads.get(name, task.load), randseed=task.randseed)
        # Only timed runs count as part of a block for whoever reads run.json: cost runs may carry a profiler.
        number = int(self._out.name)
        numbered = {"block": number} if task.purpose == "timed" else {"repeat": number}
        while True:
            folder = attempt / name
            record = _execute(task.purpose, task, task.mounts[name], load, folder, **numbered)
            if record.status != "failed":
                return record
            os.rename(folder, self._attempt() / name)
            failure = _failure(record)
            self._note(Void(self._attempts, name, "target", failure.reason, failure.fault))
            here = [
                Failure(void.fault or "died or refused", void.reason)
                for void in failures_of(name, self._voided)
            ]
            if not again((*standing(self._earlier, name).failures, *here)):
                self._lost[name] = failure.reason
                return record

    def _attempt(self) -> Path:
        self._attempts += 1
        task = self._task
        return _attempt(task.experiment, task.purpose, task.load.workload, *self._out.parts[-2:])

    def _note(self, void: Void) -> None:
        self._voided.append(void)
        _say(f"attempt {void.attempt}: {void.variant}: {void.reason}")

    def _finish(self, folder: Path, noisy: bool) -> None:
        write_json(folder / "block.json", self._record(noisy))
        _settle(folder, self._out)
        _put_away(self._out)

    def _record(self, noisy: bool) -> BlockRecord:
        task, ran = self._task, set(self._order())
        before = [void for void in self._old.voided if void.cause == "target"] if self._old else []
        voided, outcomes = (*before, *self._voided), {}
        for name in task.order:
            tries = len(failures_of(name, voided))
            if name in ran:
                outcomes[name] = VariantOutcome("ok", tries=tries + 1)
            elif name in self._lost:
                outcomes[name] = VariantOutcome("failed", self._lost[name], tries)
            else:
                outcomes[name] = VariantOutcome("left out", LEFT_OUT, tries)
        return BlockRecord(
            block=int(self._out.name),
            workload=task.load.workload,
            purpose=task.purpose,
            order=task.order,
            randseed=task.randseed,
            variants=outcomes,
            attempts=len(voided) + 1,
            voided=voided,
            noisy=noisy,
            code=task.code,
        )


def _patience(out: Path) -> int:
    """How often this block may wait for a quiet machine: after one that waited in vain not at all, but for every
    fourth, so that a busy machine costs hours and not days. It looks at numbers of blocks, never at figures.
    """
    if NO_PATIENCE in os.environ:
        return 0
    number = int(out.name)
    before = out.with_name(f"{number - 1:03d}") / "block.json"
    if number % 4 == 1 or not before.is_file():
        return QUIET_ATTEMPTS
    return 0 if read_block(before.parent).noisy else QUIET_ATTEMPTS


def capture(task: CaptureTask, verified: Sequence[Path], out: Path) -> None:
    """One capture; a target that does not survive it leaves capture.json with the reason, not a failed job."""
    config = task.mount
    words = ("capture", config.variant, *out.parts[-4:])
    run = _attempt(task.experiment, *words) / "run"
    bad = next((v for v in read_verified(verified).values() if v.status == "failed"), None)
    if bad is not None:
        run.mkdir()
        outcome = CaptureRecord("failed", f"`{bad.variant}` failed its verifying run: {bad.reason}")
    else:
        load = replace(task.load, randseed=task.randseed)
        failures: list[Failure] = []
        while True:
            record = _execute(
                "capture", task, config, load, run, repeat=int(out.name)
            )  # fmt: skip
            if record.status != "failed":
                break
            failures.append(_failure(record))
            if len(failures) == CAPTURES_TRIED or not again(failures):
                break
            _say(f"capture failed: {record.reason}")
            run = _attempt(task.experiment, *words) / "run"
        outcome = CaptureRecord(
            "failed" if record.status == "failed" else "ok",
            record.reason,
            task.code,
            len(failures) + (record.status != "failed"),
        )
    write_json(run / "capture.json", outcome)
    _settle(run, out)
    _put_away(out)


def _execute(
    purpose: Purpose,
    task: VerifyTask | BlockTask | CaptureTask,
    config: MountConfig,
    load: Load,
    out: Path,
    block: int | None = None,
    repeat: int | None = None,
) -> RunRecord:
    out.mkdir(parents=True)
    request = RunRequest(
        purpose=purpose,
        experiment=task.experiment,
        code=task.code,
        mount=config,
        load=load,
        out=str(out.resolve()),
        state_root=str(Path(task.state or STATE_ROOT).expanduser().resolve()),
        repository=str(Path.cwd()),
        block=block,
        repeat=repeat,
    )
    if NO_PATIENCE in os.environ:
        request = replace(request, gate_limit_s=_NO_GATE_S)
    return execute(request)


def _failure(record: RunRecord) -> Failure:
    return Failure(record.fault or "died or refused", record.reason or "")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _before(out: Path, name: str, kind: type[T]) -> T | None:
    """The record `name` of the failed measurement that was set aside to make that of `out` anew."""
    kept = anew.kept(out)
    return None if kept is None else msgspec.json.decode((kept / name).read_bytes(), type=kind)


def _put_away(out: Path) -> None:
    if (kept := anew.kept(out)) is not None:
        anew.done(kept)


def _attempt(experiment: str, *words: str) -> Path:
    """A new, numbered folder for one attempt; earlier ones stay."""
    base = Path("results") / experiment / "attempts" / ".".join(words)
    base.mkdir(parents=True, exist_ok=True)
    taken = [int(path.name) for path in base.iterdir() if path.name.isdigit()]
    folder = base / str(max(taken, default=0) + 1)
    folder.mkdir()
    return folder


def _settle(attempt: Path, out: Path) -> None:
    """Move a whole attempt to its place in one step, where nothing is or an empty folder: summed, and on the disk."""
    write_sums(attempt)
    out.parent.mkdir(parents=True, exist_ok=True)
    rename(attempt, out)
    for folder in (attempt.parent, attempt.parent.parent):
        if folder.name != "attempts" and folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
