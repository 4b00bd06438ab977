"""Every number of one run: those of its load, those of its target, and those that need both."""

from __future__ import annotations

from pathlib import Path

from fuselab.records.run import RunRecord
from fuselab.workloads import reading
from fuselab.workloads.base import Metric


def rows(run: Path, record: RunRecord, kind: str) -> list[Metric]:
    """Metrics of the finished run in the folder `run`; `kind` is that of its workload.

    Raises ValueError or OSError if the load left no figures.
    """
    drain_s = record.phases.drain_s if record.phases else 0.0
    return [*reading.metrics(kind, run, drain_s), *_target(record)]


def _target(record: RunRecord) -> list[Metric]:
    if record.target is None:
        return []
    found = [Metric("target.cpu_s", "s", "lower", record.target.cpu_s)]
    if record.target.rss_peak_bytes is not None:
        found.append(Metric("target.rss_peak_bytes", "B", "lower", float(record.target.rss_peak_bytes)))
    return found
