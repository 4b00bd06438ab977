"""Take one capture of a variant under a load: a run that profilers look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from fuselab.measuring.attempts import CaptureTask, failure_of, new_attempt, run, say, settle
from fuselab.measuring.retries import again
from fuselab.records.capture import CaptureRecord
from fuselab.records.failures import Failure
from fuselab.records.places import CAPTURE
from fuselab.records.verified import read_verified

MOST_RUNS = 2
"""How often a capture is made that the variant does not complete."""


def capture(task: CaptureTask, verified: Sequence[Path], out: Path) -> None:
    """One capture; a target that does not survive it leaves capture.json with the reason, not a failed job."""
    config = task.mount
    words = ("capture", config.variant, *out.parts[-4:])
    folder = new_attempt(task.experiment, *words) / "run"
    bad = next((v for v in read_verified(verified).values() if v.status == "failed"), None)
    if bad is not None:
        folder.mkdir()
        outcome = CaptureRecord("failed", f"`{bad.variant}` {bad.rate}: {bad.reason}")
    else:
        load = replace(task.load, randseed=task.randseed)
        failures: list[Failure] = []
        while True:
            record = run("capture", task, config, load, folder, repeat=int(out.name))
            if record.status != "failed":
                break
            failures.append(failure_of(record))
            if len(failures) == MOST_RUNS or not again(failures):
                break
            say(f"capture failed: {record.reason}")
            folder = new_attempt(task.experiment, *words) / "run"
        status: Literal["ok", "failed"] = "failed" if record.status == "failed" else "ok"
        outcome = CaptureRecord(status, record.reason, task.code, len(failures) + (status == "ok"))
    settle(folder, CAPTURE, outcome, out)
