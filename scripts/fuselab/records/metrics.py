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
