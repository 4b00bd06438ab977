"""What measured jobs do beside timing blocks: verify a variant, take a capture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from fuselab.errors import JobError
from fuselab.files import write_json
from fuselab.measuring.attempts import (
    CaptureTask,
    VerifyTask,
    before,
    failure_of,
    new_attempt,
    put_away,
    run,
    say,
    settle,
)
from fuselab.measuring.retries import again, passed, verified_enough
from fuselab.records.outcomes import CaptureRecord, Failure, Verified, read_verified
from fuselab.records.request import Load

CAPTURES_TRIED = 2
"""How often a capture is made that the variant does not complete."""


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
        attempt = new_attempt(task.experiment, "verify", config.variant, out.name)
        record = run("verify", task, config, load, attempt / "run")
        if record.status == "failed":
            failures.append(failure_of(record))
            say(f"verifying run {tries} of {config.variant} failed: {record.reason}")
        else:
            good = attempt
    old = before(out, "verify.json", Verified)
    all_failures = (*old.failures, *failures) if old else tuple(failures)
    status: Literal["ok", "failed"] = "ok" if passed(tries, failures) else "failed"
    reason = failures[-1].reason if status == "failed" else None
    verified = Verified(config.variant, status, reason, tries + (old.tries if old else 0), all_failures)
    if status == "failed" and task.baseline:
        raise JobError(f"the baseline, `{config.variant}`, {verified.rate}:\n{reason}")
    settled = good if good is not None and status == "ok" else attempt
    write_json(settled / "run" / "verify.json", verified)
    settle(settled / "run", out)
    put_away(out)


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
            if len(failures) == CAPTURES_TRIED or not again(failures):
                break
            say(f"capture failed: {record.reason}")
            folder = new_attempt(task.experiment, *words) / "run"
        outcome = CaptureRecord(
            "failed" if record.status == "failed" else "ok",
            record.reason,
            task.code,
            len(failures) + (record.status != "failed"),
        )
    write_json(folder / "capture.json", outcome)
    settle(folder, out)
    put_away(out)
