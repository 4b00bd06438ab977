"""metrics.csv: one row for each timed run and metric."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

Better = Literal["higher", "lower"]


@dataclass(frozen=True)
class Sample:
    """One row. Variants that failed in a block have none for it."""

    experiment: str
    workload: str
    block: int
    variant: str
    metric: str
    unit: str = ""
    value: float = math.nan
    better: Better | Literal[""] = ""
    tail_ios: int | None = None
    """How many I/Os lie beyond a percentile."""
    slope: float | None = None
    """ln(throughput in the second half of the measured time / in the first)."""
    noisy: int = 0
    """1: the block was kept although the machine was never quiet."""
    busy_start: int = 0
    """1: the run waited for a quiet machine in vain."""
    carried: float | None = None
    """Of a run that took turns: CPU seconds of target and services in the slices of others, for each second that its
    load had."""
    disk_per_s: float | None = None
    """Of a run that took turns: bytes read from disk, or made dirty, by the same in each second that the load had."""
    io_pressure: float | None = None
    """Of a run that took turns: share of the time in which somebody on the machine waited for a disk."""
