"""What a curve shows beside its verdict: where two variants cross, where the knee is, up to where a limit is kept.

Each is found in the blocks that are there, and again in many sets of blocks drawn from them: whole blocks, with all
points of each, so that what a block has in common stays together. How far the answers differ is how far one is known.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
import numpy.typing as npt

from fuselab.compare.signed_rank import Floats, infer
from fuselab.records.metrics import Better

RESAMPLES = 2000
_SHARE = 0.95
"""Of resamples, between the ends that are told."""
_MOST_ALIKE = 0.9
"""What drifts more slowly, so few blocks cannot tell."""
Kept = Literal["kept", "open", "broken"]


@dataclass(frozen=True)
class Level:
    """The typical value of one variant at one point, over blocks; no interval where these are too few."""

    estimate: float
    low: float | None
    high: float | None


def level_at(values: npt.ArrayLike, level: float) -> Level | None:
    """Of the values of blocks in their order; None without a value, or with one that has no logarithm.

    Unlike ratios, they hold what drifts from block to block. The signed-rank interval takes blocks for draws that know
    nothing of each other, and is therefore widened by what neighbours have in common.
    """
    array = np.asarray(values, dtype=np.float64)
    if not len(array) or not (array > 0).all():
        return None
    found, wider = infer(np.log(array), level), _widening(array)
    ends = [
        None if end is None else float(np.exp(found.estimate + wider * (end - found.estimate)))
        for end in (found.low, found.high)
    ]
    return Level(float(np.exp(found.estimate)), *ends)


def _widening(values: Floats) -> float:
    """How many times as far as that of independent values the mean of a series strays whose neighbours correlate by r
    as an AR(1) series: sqrt((1 + r) / (1 - r)), with Kendall's correction of r for short series (Biometrika 41, 1954).
    Of ranks, for an outlier hides what its neighbours have in common.
    """
    ranks = np.array([(values < one).sum() + (values <= one).sum() for one in values], dtype=np.float64)
    away = ranks - ranks.mean()
    if not away.any():
        return 1.0
    seen = float((away[1:] * away[:-1]).sum() / (away**2).sum())
    r = min(max(0.0, seen + (1 + 4 * seen) / len(values)), _MOST_ALIKE)
    return float(np.sqrt((1 + r) / (1 - r)))


@dataclass(frozen=True)
class Crossing:
    """Where one variant stops to be better than another, on the axis."""

    at: float
    low: float
    high: float
    share: float
    """Of resamples in which the two cross between the points that are decided."""
    above_before: bool
    """Whether the variant has the higher values before it."""


def crossings(
    x: Sequence[float], differences: Floats, directions: Sequence[int], *, logarithmic: bool
) -> Iterator[Crossing]:
    """Of ln(variant / baseline), shape (blocks, points), over `x`. `directions` is 1 or -1 where a point is decided.
    `logarithmic` says whether lines between points are straight over ln `x`, as the axis is drawn.

    The two cross between two neighbouring decided points of opposite directions, and nowhere else: where nothing is
    decided on either side, lines that cross are noise.
    """
    scale = np.log(x) if logarithmic else np.asarray(x, dtype=np.float64)
    back = np.exp if logarithmic else np.asarray
    decided = [i for i, direction in enumerate(directions) if direction]
    drawn = _resampled(differences)
    whole = _typical(differences[None])[0]
    for i, j in pairwise(decided):
        if directions[i] == directions[j]:
            continue
        found = [at for each in drawn if (at := _cross(scale[i : j + 1], each[i : j + 1])) is not None]
        at = _cross(scale[i : j + 1], whole[i : j + 1])
        if at is not None and found:
            low, high = np.quantile(found, [(1 - _SHARE) / 2, (1 + _SHARE) / 2])
            at, low, high = (float(back(place)) for place in (at, low, high))
            yield Crossing(at, low, high, len(found) / len(drawn), directions[i] > 0)


def _cross(x: Floats, line: Floats) -> float | None:
    """Where a line through points changes its sign: the middle one of several places; None if it ends as it began."""
    if line[0] * line[-1] >= 0:
        return None
    places = [
        x[k] + (x[k + 1] - x[k]) * line[k] / (line[k] - line[k + 1])
        for k in range(len(x) - 1)
        if line[k] * line[k + 1] < 0 or line[k + 1] == 0
    ]
    return float(np.median(places)) if places else None


@dataclass(frozen=True)
class Knee:
    """The point with the most throughput for its latency."""

    point: int
    share: float
    """Of resamples that have it at the same point."""


def knee(throughput: Floats, latency: Floats) -> Knee | None:
    """Of values of shape (blocks, points): where throughput / latency is largest (Kleinrock's power).

    None where a value has no logarithm, or the largest is at an end of the axis: the knee is not on it.
    """
    if not len(throughput) or not ((throughput > 0).all() and (latency > 0).all()):
        return None
    power = np.log(throughput) - np.log(latency)
    at = int(np.argmax(_typical(power[None])[0]))
    if at in (0, power.shape[1] - 1):
        return None
    return Knee(at, float((np.argmax(_resampled(power), axis=1) == at).mean()))


def kept(level: Level | None, limit: float, better: Better) -> Kept:
    """Whether a level keeps to a limit: its whole interval does, none of it does, or it cannot be told."""
    if level is None or level.low is None or level.high is None:
        return "open"
    inside, outside = level.high <= limit, level.low > limit
    if better == "higher":
        inside, outside = level.low >= limit, level.high < limit
    return "kept" if inside else "broken" if outside else "open"


def _resampled(rows: Floats) -> Floats:
    """Typical values of each point in sets of blocks drawn from `rows`, shape (RESAMPLES, points)."""
    rng = np.random.default_rng(1)
    chosen = rng.integers(0, len(rows), (RESAMPLES, len(rows)))
    return np.concatenate([_typical(rows[part]) for part in np.array_split(chosen, 20)])


def _typical(sets: Floats) -> Floats:
    """Hodges and Lehmann's estimate of each point, shape (sets, points) from (sets, blocks, points)."""
    first, second = np.triu_indices(sets.shape[1])
    return np.asarray(np.median((sets[:, first] + sets[:, second]) / 2, axis=1))
