"""The signed-rank test of paired differences and its inversion: estimate, interval and p from one rule.

`interval` is the ratio of two variants by it, and `spread` what the typical ratio hides.

The estimate is that of Hodges and Lehmann (1963), the median of the Walsh averages (d_i + d_j) / 2, i <= j. A
shift s is accepted where the sign-flip permutation distribution of the signed mid-ranks of d - s (zeros keep
their rank and have no sign: Pratt 1959) gives it p > alpha. The interval is the closed hull of what is
accepted, and the p-value of "no change" is the largest p of any shift from 0 outwards: so it is at most alpha
exactly where the interval leaves 0 out. Without ties all this is the ordinary exact Wilcoxon test and its
interval.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from fuselab.compare import null_distribution as null
from fuselab.records.metrics import Better

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Numbers = TypeVar("Numbers", Floats, Ints)

_MANY = 50
"""Differences beyond which ties are no longer looked at one by one: of 500 there are 125,000 shifts, each with a
distribution of its own that takes seconds."""
_GRID = 10**12
"""Differences are rounded to this many steps per unit, so that ties are exact: ln(3/2) is -ln(2/3)."""


@dataclass(frozen=True)
class Inference:
    """Of one set of differences, in their own unit. Without enough differences for the level, no interval."""

    estimate: float
    low: float | None
    high: float | None
    p: float


@lru_cache(maxsize=4096)
def _cdf(doubled_ranks: tuple[int, ...]) -> Floats:
    table = np.array(null.cumulative(doubled_ranks))
    table.flags.writeable = False
    return table


def sign_flip_p(differences: npt.ArrayLike) -> float:
    """Exact two-sided p of "symmetric about 0": signed mid-ranks under all 2**n flips. Shape (n,)."""
    return float(_shift_ps(2 * _on_grid(differences), np.zeros(1, dtype=np.int64))[0])


def infer(differences: npt.ArrayLike, level: float) -> Inference:
    """Estimate, interval at `level` and p of no change from differences of shape (n,), n >= 1."""
    grid = _on_grid(differences)
    sums = _walsh_sums(grid[None, :])[0]
    if sums.all() and (np.diff(sums) > 0).all():
        middle, low, high, p = (float(part[0]) for part in untied_batch(grid[None, :], level))
    elif len(grid) > _MANY:
        middle, low, high, p = _closed(sums, len(grid), level)
    else:
        low, high, p = _invert(grid, sums, 1 - level)
        middle, low, high = float(np.median(sums)) / 2, low / 2, high / 2
    if 2 / 2 ** len(grid) > 1 - level:
        return Inference(middle / _GRID, None, None, p)
    return Inference(middle / _GRID, low / _GRID, high / _GRID, p)


def untied_batch(differences: Numbers, level: float) -> tuple[Floats, Floats, Floats, Floats]:
    """Estimates, lower ends, upper ends and p, each of shape (m,), for m sets of n differences, shape (m, n).

    Only for differences whose Walsh averages are distinct and not 0. Ends are NaN where n is too small for
    the level.
    """
    blocks = differences.shape[1]
    sums = _walsh_sums(differences)
    total = sums.shape[1]
    estimate = np.median(sums, axis=1) / 2
    below = (sums < 0).sum(axis=1)
    p = np.minimum(1.0, 2 * _cdf(null.untied(blocks))[::2][np.minimum(below, total - below)])
    k = null.critical(blocks, 1 - level)
    if k < 0:
        missing = np.full(len(sums), np.nan)
        return estimate, missing, missing, p
    return estimate, sums[:, k] / 2, sums[:, total - 1 - k] / 2, p


def _closed(sums: Ints, blocks: int, level: float) -> tuple[float, float, float, float]:
    """Of many differences with ties: the closed interval between the Walsh averages that bound it without ties.

    It holds the truth at least as often as `level` says (Noether 1967), and p keeps its rule: at most 1 - `level`
    exactly where 0 is left out.
    """
    k = null.critical(blocks, 1 - level)
    beyond = min(int((sums <= 0).sum()), int((sums >= 0).sum()))
    p = min(1.0, 2 * float(_cdf(null.untied(blocks))[::2][min(beyond, len(sums))]))
    return float(np.median(sums)) / 2, float(sums[k]) / 2, float(sums[len(sums) - 1 - k]) / 2, p


def _on_grid(differences: npt.ArrayLike) -> Ints:
    return np.rint(np.asarray(differences, dtype=np.float64) * _GRID).astype(np.int64)


def _walsh_sums(rows: Numbers) -> Numbers:
    """Sorted d_i + d_j, i <= j: shape (m, n(n+1)/2) from (m, n)."""
    first, second = np.triu_indices(rows.shape[1])
    return np.sort(rows[:, first] + rows[:, second], axis=1)


def _shift_ps(doubled: Ints, doubled_shifts: Ints) -> Floats:
    """Exact p of each shift, shape (m,), where data (n,) and shifts (m,) are both given doubled."""
    ps = np.empty(len(doubled_shifts))
    for row, shift in enumerate(doubled_shifts):
        signed = doubled - shift
        sizes = np.abs(signed)
        ordered = np.sort(sizes)
        ranks = np.searchsorted(ordered, sizes, "left") + np.searchsorted(ordered, sizes, "right") + 1
        positive = int(ranks[signed > 0].sum())
        table = _cdf(tuple(sorted(ranks[signed != 0].tolist())))
        ps[row] = min(1.0, 2 * table[min(positive, len(table) - 1 - positive)])
    return ps


def _invert(grid: Ints, sums: Ints, alpha: float) -> tuple[float, float, float]:
    """Lower and upper end of the accepted hull, as doubled shifts, and the p of no change. Allows ties.

    p changes only where a Walsh average is passed. It is looked up between neighbouring ones, beyond both
    ends, where several coincide (ties make a distribution of their own there) and at 0.
    """
    points, copies = np.unique(sums, return_counts=True)
    between = np.concatenate(([2 * points[0] - 2], points[:-1] + points[1:], [2 * points[-1] + 2]))
    shifts = np.unique(np.concatenate((between, 2 * points[copies > 1], [0])))
    ps = _shift_ps(4 * grid, shifts)
    # What holds between two neighbours is counted for both of them as well: the hull is closed.
    doubled = shifts / 2
    index = np.searchsorted(points, doubled, "left")
    on_point = index != np.searchsorted(points, doubled, "right")
    edges = np.concatenate(([-np.inf], points, [np.inf]))
    lows = np.where(on_point, doubled, edges[index])
    highs = np.where(on_point, doubled, edges[np.minimum(index + 1, len(points) + 1)])
    accepted = ps > alpha
    p = min(ps[lows <= 0].max(), ps[highs >= 0].max())
    return float(lows[accepted].min()), float(highs[accepted].max()), float(p)


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
    logs = infer(np.log(ratios), level)
    low, high = (None if end is None else float(np.exp(end)) for end in (logs.low, logs.high))
    return Interval(len(ratios), level, float(np.exp(logs.estimate)), low, high, logs.p)


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
