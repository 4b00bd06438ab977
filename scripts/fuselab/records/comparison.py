"""The rows of comparisons.csv and costs.csv: what was found on one metric of one contrast, and the verdict."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from fuselab.records.metrics import Better

FASTER = "faster"
SLOWER = "slower"
NO_DIFFERENCE = "no difference shown"
INCONCLUSIVE = "inconclusive"
FAILED = "failed"
BELOW_THRESHOLD = ", below threshold"
"""Added to *faster* and *slower*."""

Family = Literal["primary", "exploratory", "control", ""]


@dataclass(frozen=True)
class Comparison:
    """One row. Ratios are variant / baseline; None where there is none. Rates are fractions of runs."""

    experiment: str
    workload: str
    baseline: str
    variant: str
    metric: str
    unit: str = ""
    better: Better | Literal[""] = ""
    """Unit and direction are empty where nothing was measured."""
    blocks: int = 0
    ratio: float | None = None
    ratio_low: float | None = None
    ratio_high: float | None = None
    verdict: str = INCONCLUSIVE
    family: Family = ""
    level: float | None = None
    """Of this row's own interval, as if it stood alone."""
    p: float | None = None
    p_adjusted: float | None = None
    correction: str = ""
    """What `p_adjusted` is adjusted for, in words."""
    mean_ratio: float | None = None
    min_ratio: float | None = None
    max_ratio: float | None = None
    stall_rate: float | None = None
    stall_rate_baseline: float | None = None
    voided: int | None = None
    """Blocks of this workload that were voided and run again."""
    gated: bool = False
    """Something else than the figures decided the verdict: more blocks would not change it."""
    note: str = ""

    @property
    def word(self) -> str:
        """The verdict without what is added to it."""
        words = (FASTER, SLOWER, NO_DIFFERENCE, INCONCLUSIVE, FAILED)
        return next((word for word in words if self.verdict.startswith(word)), self.verdict)

    @property
    def interval(self) -> tuple[float, float, float]:
        """The ratio and the ends of its interval; NaN where there is none."""
        ratio, low, high = (
            math.nan if value is None else value for value in (self.ratio, self.ratio_low, self.ratio_high)
        )
        return ratio, low, high

    @property
    def has_interval(self) -> bool:
        return all(map(math.isfinite, self.interval))

    @property
    def excludes_no_change(self) -> bool:
        _, low, high = self.interval
        return self.has_interval and not low <= 1 <= high


@dataclass(frozen=True)
class CostComparison(Comparison):
    """A row of costs.csv: what one profiler costs, compiled in or switched on."""

    profiler: str = ""
    step: str = ""
