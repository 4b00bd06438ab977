"""What must hold before a metric may be spoken of at all, whatever its figures say. Standard library only."""

from __future__ import annotations

import re
from collections.abc import Iterable

PERCENTILE_FLOOR = 0.02
"""Smallest change claimed on a percentile: fio's latency buckets are up to 1.6 % wide, so that two runs on
either side of an edge differ by a whole bucket in every block, however close they are."""

TAIL_IOS = 10
"""I/Os that must lie beyond a percentile in every run."""

_PERCENTILE = re.compile(r"(?:^|[._])p(\d\d?)(?:[._]?(\d+))?$")


def percentile_of(metric: str) -> float | None:
    """99.9 of `write.p99.9`, `write.p99_9` or `write.p999`; None where the metric is not a percentile.

    What follows `bench.` is a name that somebody has chosen: `bench.sort/p99` is a time like every other.
    """
    match = None if metric.startswith("bench.") else _PERCENTILE.search(metric)
    return float(f"{match[1]}.{match[2] or 0}") if match else None


def floor_of(metric: str) -> float:
    """Smallest change that a verdict on `metric` may claim, as a fraction."""
    return 0.0 if percentile_of(metric) is None else PERCENTILE_FLOOR


def tail_reason(metric: str, tail_ios: Iterable[float]) -> str | None:
    """Why a percentile is not shown, by the I/Os beyond it in each run (NaN: unknown); None if it is."""
    if percentile_of(metric) is None:
        return None
    counts = list(tail_ios)
    unknown = sum(count != count for count in counts)
    if unknown:
        return f"not shown: number of I/Os beyond this percentile unknown in {unknown} of {len(counts)} runs"
    few = sum(count < TAIL_IOS for count in counts)
    if few:
        return f"not shown: fewer than {TAIL_IOS} I/Os beyond this percentile in {few} of {len(counts)} runs"
    return None


def is_tail(metric: str) -> bool:
    """Whether it is a percentile above p90."""
    percentile = percentile_of(metric)
    return percentile is not None and percentile > 90


def closed_loop_warning(metric: str, closed_loop: bool) -> str | None:
    """What to say of a tail under a load that waits for each reply before it goes on."""
    if closed_loop and is_tail(metric):
        return "closed-loop load: requests that would have queued behind a slow one are not in this tail"
    return None
