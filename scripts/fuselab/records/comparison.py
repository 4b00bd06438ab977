"""The rows of comparisons.csv and costs.csv: what was found on one metric of one contrast, and the verdict."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal, Self

from fuselab.records.metrics import Better

FASTER = "faster"
SLOWER = "slower"
NO_DIFFERENCE = "no difference shown"
INCONCLUSIVE = "inconclusive"
FAILED = "failed"
MORE_WORK = "more work"
LESS_WORK = "less work"
"""Of what is counted: it needs no clock."""
HOLDS, BROKEN, UNTOLD = "holds", "broken", "could not tell"
"""What a guard comes to."""
BELOW_THRESHOLD = ", below threshold"
"""Added to a verdict of difference."""
DIFFERENT = (FASTER, SLOWER, MORE_WORK, LESS_WORK)

Family = Literal["primary", "point", "exploratory", "control", "work", ""]
"""`point`: a primary metric at one point of a curve, which is judged as one."""


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
    typical_baseline: float | None = None
    """Median of the baseline's runs, in `unit`."""
    typical: float | None = None
    """Median of the variant's runs."""
    gated: bool = False
    """Something else than the figures decided the verdict: more blocks would not change it."""
    note: str = ""
    guard: float | None = None
    """By how much the metric may be worse at most, as a fraction, where the experiment guards it here."""
    guard_bound: float | None = None
    """The one-sided bound on the ratio at `level`: at least this much worse if broken, else at most; None of counts
    that repeat."""
    guard_outcome: str = ""

    @property
    def word(self) -> str:
        """The verdict without what is added to it."""
        words = (*DIFFERENT, NO_DIFFERENCE, INCONCLUSIVE, FAILED)
        return next((word for word in words if self.verdict.startswith(word)), self.verdict)

    @property
    def differs(self) -> bool:
        return self.word in DIFFERENT

    def noted(self, *notes: str) -> Self:
        """The row with more to say about it."""
        return replace(self, note="; ".join(filter(None, (self.note, *notes))))

    def settled(self, verdict: str, reason: str = "") -> Self:
        """The row with a verdict for `reason`, which no further figures can change."""
        return replace(self, verdict=verdict, gated=True).noted(reason)

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
