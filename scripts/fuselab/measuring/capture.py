"""Take one capture of a variant under a load: a run that profilers look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from fuselab.measuring.attempts import CaptureTask, failure_of, new_attempt, requested, run, say, settle
from fuselab.measuring.retries import again, given_up
from fuselab.records.block import blocks_in, standing
from fuselab.records.capture import CaptureRecord
from fuselab.records.failures import Failure, rates
from fuselab.records.places import CAPTURE
from fuselab.records.verified import read_verified

MOST_RUNS = 2
"""How often a capture is made that the variant does not complete."""


def capture(task: CaptureTask, verified: Sequence[Path], out: Path) -> None:
    """One capture; a target that does not survive it leaves capture.json with the reason, not a failed job."""
    config = task.mount
    words = ("capture", config.variant, *out.parts[-4:])
    folder = new_attempt(task.experiment, *words) / "run"
    bad = next((v for v in map(read_verified, verified) if v.status == "failed"), None)
    hopeless = f"`{bad.variant}` {bad.rate}: {bad.reason}" if bad is not None else _never_completed(task)
    if hopeless:
        folder.mkdir()
        outcome = CaptureRecord("failed", hopeless)
    else:
        load = replace(task.load, randseed=task.randseed)
        failures: list[Failure] = []
        while True:
            record = run(requested("capture", task, config, load, folder, repeat=int(out.name)))
            if record.status != "failed":
                break
            failures.append(failure_of(record))
            if len(failures) == MOST_RUNS or not again(failures):
                break
            say(f"capture failed: {record.reason}")
            folder = new_attempt(task.experiment, *words) / "run"
        status: Literal["ok", "failed"] = "failed" if record.status == "failed" else "ok"
        tries = len(failures) + (status == "ok")
        fault = failures[-1].fault if status == "failed" else None
        outcome = CaptureRecord(status, record.reason, task.code, tries, fault)
    settle(folder, CAPTURE, outcome, out)


def _never_completed(task: CaptureTask) -> str:
    """Why there is no use in looking: its timed runs, which came first, all ended in one way. "" if there is.

    What hangs is worth a look: its capture shows where.
    """
    if not task.blocks:
        return ""
    so_far = standing(blocks_in(Path(task.blocks)), task.mount.variant)
    if not given_up(so_far) or len({failure.line for failure in so_far.failures}) > 1:
        return ""
    if any(failure.fault == "hung" for failure in so_far.failures):
        return ""
    rate = rates(so_far.failures, so_far.tries, "timed runs")
    return f"`{task.mount.variant}` {rate}, always the same way: {so_far.failures[-1].reason}"
