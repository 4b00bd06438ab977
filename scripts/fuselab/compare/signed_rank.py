"""The signed-rank test of paired differences and its inversion: estimate, interval and p from one rule.

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

from fuselab.compare import null

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Numbers = TypeVar("Numbers", Floats, Ints)

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


def _on_grid(differences: npt.ArrayLike) -> Ints:
    return np.rint(np.asarray(differences, dtype=np.float64) * _GRID).astype(np.int64)


def _walsh_sums(rows: Numbers) -> Numbers:
    """Sorted d_i + d_j, i <= j: shape (m, n(n+1)/2) from (m, n)."""
    first, second = np.triu_indices(rows.shape[1])
    return np.sort(rows[:, first] + rows[:, second], axis=1)


def _shift_ps(doubled: Ints, doubled_shifts: Ints) -> Floats:
    """Exact p of each shift, shape (m,), where data (n,) and shifts (m,) are both given doubled."""
    found = np.empty(len(doubled_shifts))
    for row, shift in enumerate(doubled_shifts):
        signed = doubled - shift
        sizes = np.abs(signed)
        ordered = np.sort(sizes)
        ranks = np.searchsorted(ordered, sizes, "left") + np.searchsorted(ordered, sizes, "right") + 1
        positive = int(ranks[signed > 0].sum())
        table = _cdf(tuple(sorted(ranks[signed != 0].tolist())))
        found[row] = min(1.0, 2 * table[min(positive, len(table) - 1 - positive)])
    return found


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
