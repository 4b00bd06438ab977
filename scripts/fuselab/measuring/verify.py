"""Verify a variant: nobody times what does not keep its data, or fails what it is not known to fail."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from fuselab.errors import JobError
from fuselab.measuring.attempts import (
    VerifyTask,
    before,
    failure_of,
    new_attempt,
    requested,
    run,
    say,
    settle,
)
from fuselab.measuring.retries import passed, verified_enough
from fuselab.records.failures import Failure
from fuselab.records.places import VERIFY
from fuselab.records.request import Load
from fuselab.records.verified import Verified
from fuselab.workloads import VERIFIER
from fuselab.workloads.verifying import VERIFIERS


def verify(task: VerifyTask, out: Path) -> None:
    """Verify in every way of the task; leave verify.json and run.json in `out`. A failing baseline is a JobError.

    A failure is tried again: two of three runs must pass, and none may read back anything but what was written.
    """
    config = task.mount
    settings = {"ways": task.ways, "known_failures": task.known_failures}
    load = Load(kind=VERIFIER, workload="verify", settings=settings)
    failures: list[Failure] = []
    tries, good = 0, None
    while not (tries and verified_enough(tries, failures)):
        tries += 1
        attempt = new_attempt(task.experiment, "verify", config.variant, out.name)
        record = run(requested("verify", task, config, load, attempt / "run"))
        if record.status == "failed":
            failures.append(failure_of(record))
            say(f"verifying run {tries} of {config.variant} failed: {record.reason}")
        else:
            good = attempt
    old = before(out, VERIFY, Verified)
    all_failures = (*old.failures, *failures) if old else tuple(failures)
    status: Literal["ok", "failed"] = "ok" if passed(tries, failures) else "failed"
    reason = failures[-1].reason if status == "failed" else None
    found = _found(good / "run", task.ways) if good is not None and status == "ok" else ()
    verified = Verified(
        config.variant, status, reason, tries + (old.tries if old else 0), all_failures, found
    )
    if status == "failed" and task.essential:
        raise JobError(f"the baseline, `{config.variant}`, {verified.rate}:\n{reason}")
    settled = good if good is not None and status == "ok" else attempt
    settle(settled / "run", VERIFY, verified, out)


def _found(run: Path, ways: Iterable[str]) -> tuple[str, ...]:
    """In words, what each way found in the `run` that passed."""
    return tuple(words for way in ways if (words := VERIFIERS[way].found(run)))
