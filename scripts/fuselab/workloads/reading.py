"""Reading what a load wrote, with an end to it: what fuselab cannot read is no failure of the target.

The run says so once, in its marks, when it ends; from then on it is a run without figures.
"""

from __future__ import annotations

from pathlib import Path

from fuselab import workloads
from fuselab.files import read_json
from fuselab.records.run import RunRecord, outcome_of
from fuselab.records.slices import Turns
from fuselab.workloads.base import Traffic
from fuselab.workloads.metric import Metric

UNREAD = "fuselab cannot read what the load wrote"


def complaint(kind: str, run: Path) -> str | None:
    """Why the figures of a load that did its work cannot be read; None if they can."""
    module = workloads.REGISTRY[kind]
    try:
        module.metrics(run)
        module.after_drain(run, 0.0)
        module.traffic(run)
    except Exception as error:  # whatever it is, it is ours
        words = f"{type(error).__name__}: {error}"
        return f"{UNREAD}, and no figure of this run counts; this is a fault of fuselab, not of the target ({words})"
    return None


def metrics(kind: str, run: Path, record: RunRecord) -> list[Metric]:
    """The load's figures; none of a run that says in its `record` that they cannot be read."""
    module = workloads.REGISTRY[kind]
    drain_s = record.phases.drain_s if record.phases else 0.0
    return [] if _unread(record) else [*module.metrics(run), *module.after_drain(run, drain_s)]


def in_turns(kind: str, run: Path, record: RunRecord, turns: Turns) -> list[Metric]:
    """The load's figures where it took turns with others."""
    return [] if _unread(record) else [*workloads.REGISTRY[kind].in_turns(run, turns)]


def traffic(kind: str, run: Path) -> Traffic:
    outcome = outcome_of(run)
    unread = outcome is not None and _unread(read_json(outcome, RunRecord))
    return Traffic(0, 0) if unread else workloads.REGISTRY[kind].traffic(run)


def _unread(record: RunRecord) -> bool:
    return any(mark.startswith(UNREAD) for mark in record.marks)
