"""What measured jobs do: verify a variant, time a block, take a capture.

A run is made below `results/<experiment>/attempts/` and moved to its place by one rename when it is whole, so a
killed job never leaves half a block where a whole one belongs, and what was measured until then is kept.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import msgspec

from fuselab.job import JobError
from fuselab.files import rename, write_json
from fuselab.rig.record import RunRecord
from fuselab.rig.request import Load, MountConfig, Purpose, RunRequest
from fuselab.rig.run import execute
from fuselab.sums import write_sums

FAILURES = 3
"""How often a variant may fail in one block before that is taken for a fact."""
QUIET_ATTEMPTS = 2
"""How often a block waits for a quiet machine; the next attempt is kept, and marked, however noisy it was."""
NO_PATIENCE = "FUSELAB_NO_PATIENCE"
"""Set in the environment: runs start at once, and blocks are kept at their first attempt, marked where the machine was
busy. For machines that are never quiet, where all waiting is in vain."""
_NO_GATE_S = 0.1
STATE_ROOT = "results/state"
RECORDS = ("block.json", "verify.json", "capture.json")
"""What a measurement in its place holds, one of them: whoever finds it there finds the whole measurement."""


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
    code: str = ""


@dataclass(frozen=True)
class CaptureTask:
    experiment: str
    mount: MountConfig
    load: Load
    randseed: int
    state: str | None
    code: str = ""


@dataclass(frozen=True)
class Verified:
    """verify.json: whether a variant reads back what was written to it."""

    variant: str
    status: Literal["ok", "failed"]
    reason: str | None


@dataclass(frozen=True)
class Void:
    """One attempt of a block that does not count, and why. `variant` is whose run it was."""

    attempt: int
    variant: str
    cause: Literal["environment", "target"]
    """Whether the machine was too busy, or the variant did not complete its run."""
    reason: str


@dataclass(frozen=True)
class VariantOutcome:
    status: Literal["ok", "failed"]
    reason: str | None = None


@dataclass(frozen=True)
class BlockRecord:
    """block.json."""

    block: int
    workload: str
    purpose: str
    order: tuple[str, ...]
    randseed: int
    variants: dict[str, VariantOutcome]
    attempts: int
    voided: tuple[Void, ...]
    noisy: bool
    """The machine never was quiet enough: the last attempt is kept and marked, whatever it measured."""
    code: str = ""
    """Hash of the code that measured it: blocks of two are not mixed."""


@dataclass(frozen=True)
class CaptureRecord:
    """capture.json: whether there is a capture, and why not."""

    status: Literal["ok", "failed"]
    reason: str | None
    code: str = ""


def read_verified(folders: Sequence[Path]) -> dict[str, Verified]:
    """Verdicts of the verifying runs, by variant."""
    found = [msgspec.json.decode((folder / "verify.json").read_bytes(), type=Verified) for folder in folders]
    return {verified.variant: verified for verified in found}


def verify(task: VerifyTask, out: Path) -> None:
    """Write, mount again, read back; leave verify.json and run.json in `out`. A failing baseline is a JobError."""
    config = task.mount
    attempt = _attempt(task.experiment, "verify", config.variant, out.name)
    load = Load(kind="fio", workload="verify", settings={})
    record = _execute("verify", task, config, load, attempt / "run")
    if record.status == "failed" and task.baseline:
        raise JobError(f"the baseline, `{config.variant}`, failed its verifying run:\n{record.reason}")
    verified = Verified(config.variant, "failed" if record.status == "failed" else "ok", record.reason)
    write_json(attempt / "run" / "verify.json", verified)
    _settle(attempt / "run", out)


def time_block(task: BlockTask, verified: Sequence[Path], out: Path) -> None:
    """Run every variant once, in `task.order`; repeat the whole block when any run of it fails or is void.

    A variant that fails in every attempt is left out and recorded as failed; when the machine is too busy in
    every attempt, the last one is kept and marked. Neither looks at what was measured.
    """
    found = read_verified(verified)
    failed = {
        name: VariantOutcome("failed", found[config.variant].reason)
        for name, config in task.mounts.items()
        if config.variant in found and found[config.variant].status == "failed"
    }
    voided: list[Void] = []
    patience = _patience(out)
    while True:
        order = [name for name in task.order if name not in failed]
        attempt = _attempt(task.experiment, task.purpose, task.load.workload, *out.parts[-2:])
        keep = sum(void.cause == "environment" for void in voided) >= patience
        void, noisy = _block_once(task, order, attempt, int(out.name), len(voided) + 1, keep_noisy=keep)
        if void is None:
            break
        voided.append(void)
        print(f"attempt {void.attempt}: {void.variant}: {void.reason}", file=sys.stderr, flush=True)
        if sum((v.variant, v.cause) == (void.variant, "target") for v in voided) >= FAILURES:
            failed[void.variant] = VariantOutcome("failed", void.reason)
    outcomes = {name: failed.get(name, VariantOutcome("ok")) for name in task.order}
    record = BlockRecord(
        block=int(out.name),
        workload=task.load.workload,
        purpose=task.purpose,
        order=task.order,
        randseed=task.randseed,
        variants=outcomes,
        attempts=len(voided) + 1,
        voided=tuple(voided),
        noisy=noisy,
        code=task.code,
    )
    write_json(attempt / "block.json", record)
    _settle(attempt, out)


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
    return 0 if msgspec.json.decode(before.read_bytes(), type=BlockRecord).noisy else QUIET_ATTEMPTS


def _block_once(
    task: BlockTask,
    order: list[str],
    attempt: Path,
    block: int,
    tries: int,
    keep_noisy: bool,
) -> tuple[Void | None, bool]:
    """One attempt of a block: what stopped it, None if every run of it counts; and whether any was noisy."""
    noisy = False
    for name in order:
        load = replace(task.own_loads.get(name, task.load), randseed=task.randseed)
        # Only timed runs count as part of a block for whoever reads run.json: cost runs may carry a profiler.
        number = {"block": block} if task.purpose == "timed" else {"repeat": block}
        record = _execute(
            task.purpose, task, task.mounts[name], load, attempt / name, **number
        )  # fmt: skip
        if record.status == "void" and not keep_noisy:
            return Void(tries, name, "environment", record.reason or ""), True
        if record.status == "failed":
            return Void(tries, name, "target", record.reason or ""), noisy
        noisy |= record.status == "void"
    return None, noisy


def capture(task: CaptureTask, verified: Sequence[Path], out: Path) -> None:
    """One capture; a target that does not survive it leaves capture.json with the reason, not a failed job."""
    config = task.mount
    attempt = _attempt(task.experiment, "capture", config.variant, *out.parts[-4:])
    run = attempt / "run"
    bad = next((v for v in read_verified(verified).values() if v.status == "failed"), None)
    if bad is not None:
        run.mkdir()
        outcome = CaptureRecord("failed", f"`{bad.variant}` failed its verifying run: {bad.reason}")
    else:
        load = replace(task.load, randseed=task.randseed)
        record = _execute("capture", task, config, load, run, repeat=int(out.name))
        outcome = CaptureRecord("failed" if record.status == "failed" else "ok", record.reason, task.code)
    write_json(run / "capture.json", outcome)
    _settle(run, out)


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
