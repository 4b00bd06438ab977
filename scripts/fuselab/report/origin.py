"""Where and when it was measured, and of what: one wording, wherever a page says it."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence

from fuselab.records.plan import PlanFile
from fuselab.records.run import Environment
from fuselab.report import words
from fuselab.report.reading import Results


def when(results: Results) -> tuple[str, str]:
    """(first, last) start of a timed run, in UTC; empty without runs."""
    starts = [run.record.started_unix_s for run in results.runs]
    if not starts:
        return "", ""
    first, last = (datetime.datetime.fromtimestamp(s, datetime.UTC) for s in (min(starts), max(starts)))
    return f"{first:%Y-%m-%d %H:%M}", f"{last:%Y-%m-%d %H:%M}"


def hosts(results: Results) -> list[str]:
    return distinct(run.record.hostname for run in results.runs)


def environments(results: Results) -> list[Environment]:
    return [run.record.environment for run in results.runs if run.record.environment is not None]


def hardware(results: Results) -> dict[str, str]:
    """As far as the kernel tells; records from before this was kept say nothing of it."""
    known = environments(results)
    processors = (f"{e.cpus or 'some'} × {e.cpu_model or 'unknown'}" for e in known if e.cpus or e.cpu_model)
    memory = (words.quantity(float(e.memory_bytes), "bytes") for e in known if e.memory_bytes)
    return {"processors": ", ".join(distinct(processors)), "memory": ", ".join(distinct(memory))}


def lead(plan: PlanFile, first: str, last: str, machines: Sequence[str]) -> tuple[str, str, str]:
    """Of which targets, when, and on which machines; each empty if unknown."""
    targets = words.names(distinct(variant.target for variant in plan.variants))
    measured = f"measured {words.period(first, last)}" if first else ""
    return targets, measured, f"on `{', '.join(machines)}`" if machines else ""


def distinct(values: Iterable[object]) -> list[str]:
    return list(dict.fromkeys(str(value) for value in values if value not in (None, "")))
