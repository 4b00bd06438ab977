"""What loads left beside run.json: percentiles of their latencies, and their throughput over the time of a run."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from fuselab.report.reading import Run
from fuselab.workloads import REGISTRY


def latency_curves(timed: Sequence[Run]) -> pd.DataFrame:
    """direction, variant, block, percentile, latency_ns of every run whose load left them."""
    rows = [
        (direction, run.record.variant, run.record.block, percentile, latency_ns)
        for run in timed
        for kind in REGISTRY.values()
        for direction, points in kind.percentiles(run.folder).items()
        for percentile, latency_ns in points
        if 0 < percentile < 100 and latency_ns > 0
    ]
    return pd.DataFrame(rows, columns=["direction", "variant", "block", "percentile", "latency_ns"])


def throughput(timed: Sequence[Run]) -> pd.DataFrame:
    """direction, variant, run, time_s, value (bytes/s) of every run whose load logged it.

    `time_s` counts from the first entry of the run's logs, in any direction: what came before, the layout of files
    and the ramp, is in no log.
    """
    rows = []
    for run in timed:
        entries = [entry for kind in REGISTRY.values() for entry in kind.throughput(run.folder)]
        first_ms = min((moment_ms for moment_ms, _, _ in entries), default=0.0)
        rows += [
            (direction, run.record.variant, run.record.block, (moment_ms - first_ms) / 1000, value)
            for moment_ms, direction, value in entries
        ]
    return pd.DataFrame(rows, columns=["direction", "variant", "run", "time_s", "value"])
