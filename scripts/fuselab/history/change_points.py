"""Where a series of nights changes its level.

Ranks of the nights are split into the levels that leave the least variance within them, each change being charged
`penalty(nights)`: what chance alone pays for in one series of a hundred. Ranks do not care how far off one wild night
is, and what chance can do with them depends on nothing but their number. All levels are found at once (dynamic
programming, Jackson and others 2005), so that a slowdown which was repaired stays two changes.

Ranks say that the level changed, but are poor at saying when: the place is then the one that fits the figures
themselves best, by absolute deviations from the median on each side.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

ALPHA = 0.01
"""Of one look at one series. Every night's page is a look: docs/nightly.md says what that adds up to."""
FEWEST_NIGHTS = 4
"""Of a level. Fewer could not be told from chance in any series."""
PLAUSIBLE = 20.0
"""A night is a plausible first one if the figures are at most so many times less likely with it than with the best."""

PENALTIES = {
    10: 6.55, 12: 7.38, 14: 8.0, 16: 8.47, 20: 8.85, 25: 9.35, 30: 9.7, 40: 10.4, 50: 10.7, 60: 11.1, 75: 11.25,
    90: 11.6, 120: 12.0, 180: 12.3, 240: 12.55, 365: 12.9,
}  # fmt: skip
"""Nights -> the gain for each change, in variances of the ranks, that 1 % of 10,000 to 40,000 shuffled series exceed
(`tests/bench/nights_simulated.py` holds them against fresh ones)."""
FEWEST_IN_ALL = min(PENALTIES)
"""With fewer, no order of the nights is as unlikely as ALPHA asks."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ChangePoint:
    """The level changed with night `index` (from 0), or with one of the nights `first` to `last`."""

    index: int
    first: int
    last: int


def change_points(values: Sequence[float] | Floats) -> tuple[ChangePoint, ...]:
    """The change points of a series, the oldest first."""
    series = np.asarray(values, dtype=np.float64)
    if len(series) < FEWEST_IN_ALL:
        return ()
    bounds = [0, *level_starts(_ranks(series), penalty(len(series))), len(series)]
    return tuple(_placed(series, start, end) for start, end in zip(bounds, bounds[2:], strict=False))


def penalty(nights: int) -> float:
    """What each change must gain: between the counts of `PENALTIES`, and beyond them, by the logarithm."""
    return float(np.interp(math.log(nights), np.log(list(PENALTIES)), list(PENALTIES.values())))


def level_starts(ranks: Floats, price: float) -> list[int]:
    """The first nights of all levels but the first, for ranks of the shape (nights,)."""
    count = len(ranks)
    sums = np.concatenate([[0.0], np.cumsum(ranks)])
    variance = count * (count + 1) / 12
    best, back = np.full(count + 1, -np.inf), np.zeros(count + 1, dtype=np.int64)
    best[0] = 0.0
    for end in range(FEWEST_NIGHTS, count + 1):
        begins = np.concatenate([[0], np.arange(FEWEST_NIGHTS, end - FEWEST_NIGHTS + 1)])
        within = (sums[end] - sums[begins]) ** 2 / (end - begins)
        # A hair more than the price: where ranks are few, many orders pay exactly that.
        reached = best[begins] + within - np.where(begins > 0, variance * (price + 1e-9), 0.0)
        at = int(np.argmax(reached))
        best[end], back[end] = reached[at], begins[at]
    starts = []
    at = int(back[count])
    while at > 0:
        starts.append(at)
        at = int(back[at])
    return starts[::-1]


def _placed(series: Floats, start: int, end: int) -> ChangePoint:
    """The one change of the nights `start` to `end` - 1, which are two levels."""
    places = np.arange(start + FEWEST_NIGHTS, end - FEWEST_NIGHTS + 1)
    costs = np.array([_deviation(series[start:at]) + _deviation(series[at:end]) for at in places])
    least = float(costs.min())
    # Laplace's distribution, whose scale is the mean deviation: ln likelihood falls by cost / scale.
    spare = math.log(PLAUSIBLE) * least / (end - start)
    plausible = places[costs <= least + spare]
    return ChangePoint(int(places[int(np.argmin(costs))]), int(plausible.min()), int(plausible.max()))


def _deviation(values: Floats) -> float:
    return float(np.abs(values - np.median(values)).sum())


def _ranks(values: Floats) -> Floats:
    """From 1, ties sharing their mean rank."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[inverse], dtype=np.float64)
