"""Where a series of nights changes its level.

At every place that splits the series in two, the rank sum of the second part is standardised (Mann and Whitney 1947);
the place with the largest is a change point if chance would seldom give one as large anywhere (Pettitt 1979 takes the
largest without standardising, which hides a change of the last week). Each part is then looked at by itself. Ranks do
not care how far off one wild night is, and their null distribution depends on nothing but the number of nights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

ALPHA = 0.01
"""Of one look at one series. Every night's page is a look: docs/nightly.md says what that adds up to."""
FEWEST_NIGHTS = 3
"""Of a level: of two nights nobody can say that they are one."""
_SHUFFLES = 20_000
_SEED = 1

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ChangePoint:
    """The level changed between night `index` - 1 and night `index` (from 0); `p` is that of its own part."""

    index: int
    p: float


def change_points(values: Sequence[float] | Floats, alpha: float = ALPHA) -> tuple[ChangePoint, ...]:
    """The change points of a series in order, each the first night of a new level."""
    found = sorted(_of_part(np.asarray(values, dtype=np.float64), 0, alpha), key=lambda point: point.index)
    return tuple(found)


def _of_part(values: Floats, start: int, alpha: float) -> list[ChangePoint]:
    if len(values) < 2 * FEWEST_NIGHTS:
        return []
    scores = split_scores(_ranks(values)[np.newaxis])[0]
    at = int(np.argmax(scores))
    p = _p_of(float(scores[at]), len(values))
    if p > alpha:
        return []
    split = at + FEWEST_NIGHTS
    return [
        *_of_part(values[:split], start, alpha),
        ChangePoint(start + split, p),
        *_of_part(values[split:], start + split, alpha),
    ]


def split_scores(ranks: Floats) -> Floats:
    """|z| of every split of series of ranks 1..n, shape (series, n): (series, n - 2 * FEWEST_NIGHTS + 1).

    Column 0 is the split before night FEWEST_NIGHTS. Without a correction for ties, which makes |z| smaller, never
    larger.
    """
    count = ranks.shape[1]
    first = np.arange(FEWEST_NIGHTS, count - FEWEST_NIGHTS + 1)
    second = count - first
    sums = np.cumsum(ranks, axis=1)[:, first - 1]
    expected = first * (count + 1) / 2
    spread = np.sqrt(first * second * (count + 1) / 12)
    return np.asarray(np.abs(sums - expected) / spread)


def _ranks(values: Floats) -> Floats:
    """From 1, ties sharing their mean rank."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[inverse], dtype=np.float64)


def _p_of(score: float, nights: int) -> float:
    """Share of series without a change whose largest |z| is at least `score`; the observed one counts too."""
    null = _null(nights)
    return float(1 + len(null) - np.searchsorted(null, score - 1e-9)) / (1 + len(null))


@lru_cache(maxsize=512)
def _null(nights: int) -> Floats:
    """The largest |z| of shuffled series of `nights` nights, sorted."""
    rng = np.random.default_rng(_SEED)
    ordered = np.broadcast_to(np.arange(1.0, nights + 1), (_SHUFFLES, nights))
    return np.sort(split_scores(rng.permuted(ordered, axis=1)).max(axis=1))
