"""From the paired runs of two variants to their typical ratio, its interval, and what it hides."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fuselab.compare.signed_rank import Floats, infer
from fuselab.records.metrics import Better

STALL_FACTOR = 2.0
"""A run stalls where it is at least this many times as bad as the median of its own variant's runs. The
variant's own median, so that a variant that is slow throughout is slow and not stalling; twice, because drift
and ordinary noise stay well below (simulated with sd 10 % and 5 %)."""


class NoRatioError(ValueError):
    """The values have no ratio: one of them is zero, negative or not a number."""


@dataclass(frozen=True)
class Interval:
    """A ratio, variant / baseline. `ratio_low` and `ratio_high` are None where blocks are too few for the
    level.

    `p` is the exact two-sided p of "no change", not corrected for other comparisons. It is at most 1 -
    `level` exactly where the interval leaves 1 out.
    """

    blocks: int
    level: float
    ratio: float
    ratio_low: float | None
    ratio_high: float | None
    p: float


@dataclass(frozen=True)
class Spread:
    """What happened beside the typical: every run counts here, outliers too."""

    mean_ratio: float
    """Mean of the variant's runs / mean of the baseline's."""
    min_ratio: float
    """Smallest ratio of any block."""
    max_ratio: float
    stall_rate: float
    """Share of the variant's runs that stall."""
    stall_rate_baseline: float


def interval(baseline: npt.ArrayLike, variant: npt.ArrayLike, level: float) -> Interval:
    """Ratio of paired runs, both of shape (blocks,), by the signed-rank method on ln(variant / baseline).

    Raises:
        NoRatioError: a value is zero, negative or not finite.
        ValueError: the shapes differ or there are no runs.
    """
    ratios = _ratios(baseline, variant)
    found = infer(np.log(ratios), level)
    low, high = (None if end is None else float(np.exp(end)) for end in (found.low, found.high))
    return Interval(len(ratios), level, float(np.exp(found.estimate)), low, high, found.p)


def spread(baseline: npt.ArrayLike, variant: npt.ArrayLike, better: Better) -> Spread:
    """Mean, extremes and stalls of the same paired runs. Raises as `interval` does."""
    ratios = _ratios(baseline, variant)
    before, after = np.asarray(baseline, dtype=np.float64), np.asarray(variant, dtype=np.float64)
    return Spread(
        mean_ratio=float(after.mean() / before.mean()),
        min_ratio=float(ratios.min()),
        max_ratio=float(ratios.max()),
        stall_rate=stall_rate(after, better),
        stall_rate_baseline=stall_rate(before, better),
    )


def stall_rate(values: Floats, better: Better) -> float:
    """Share of `values`, shape (n,), at least `STALL_FACTOR` times as bad as their median."""
    median = np.median(values)
    stalled = values >= STALL_FACTOR * median if better == "lower" else values <= median / STALL_FACTOR
    return float(stalled.mean())


def _ratios(baseline: npt.ArrayLike, variant: npt.ArrayLike) -> Floats:
    before, after = np.asarray(baseline, dtype=np.float64), np.asarray(variant, dtype=np.float64)
    if before.shape != after.shape or before.ndim != 1 or not len(before):
        raise ValueError(f"paired runs are needed, got shapes {before.shape} and {after.shape}")
    without = int((~((before > 0) & (after > 0) & np.isfinite(before) & np.isfinite(after))).sum())
    if without:
        raise NoRatioError(f"no ratio: zero, negative or missing in {without} of {len(before)} blocks")
    return np.asarray(after / before)
