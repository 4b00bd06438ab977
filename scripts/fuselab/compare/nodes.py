"""Whether the machines that measured blocks agree on a ratio, and what it is where each machine counts as one.

A ratio is taken within a block, which lies on one machine, so machines that are slower by a factor do no harm. Machines
that change the ratio itself do: then blocks of one machine are alike, and an interval over blocks is too narrow.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

DISAGREE_P = 0.01
"""Machines that are alike are said to disagree in one of a hundred comparisons."""
RANDOM_EFFECT_NODES = 3
"""From so many machines on, how they scatter can be told from the machines themselves."""
_PERMUTATIONS = 2000
_SEED = 20_261_129


@dataclass(frozen=True)
class NodeRatio:
    node: str
    blocks: int
    ratio: float
    """Variant / baseline: the geometric mean of this machine's blocks."""


@dataclass(frozen=True)
class Nodes:
    """One ratio as several machines have measured it."""

    by_node: tuple[NodeRatio, ...]
    p: float
    """That machines which agree would be as far apart."""
    out_of_line: str = ""
    """The one machine without which the others agree, of three or more that do not."""
    across: tuple[float, float, float] | None = None
    """Ratio, low, high where the machines are the sample and not their blocks; None of fewer than three."""

    @property
    def disagree(self) -> bool:
        return self.p <= DISAGREE_P


def compare_nodes(ln_ratios: Mapping[str, Sequence[float]], level: float) -> Nodes:
    """`ln_ratios` are those of each machine's blocks: two machines at least. `level` is that of the interval.

    Agreement is judged by Kruskal and Wallis' statistic (ranks, so that a wild block is one block), against
    permutations of which block was measured where: exact for machines that agree, whatever the noise. Machines as a
    random effect: the mean of their means with Student's t over machines, which holds whatever scatters inside them.
    """
    names = sorted(ln_ratios)
    groups = [np.asarray(ln_ratios[name], dtype=float) for name in names]
    p = _p(groups)
    found = tuple(
        NodeRatio(name, len(group), math.exp(float(group.mean())))
        for name, group in zip(names, groups, strict=True)
    )
    if len(groups) < RANDOM_EFFECT_NODES:
        return Nodes(found, p)
    return Nodes(found, p, _out_of_line(names, groups) if p <= DISAGREE_P else "", _across(groups, level))


def _p(groups: Sequence[NDArray[np.float64]]) -> float:
    sizes = [len(group) for group in groups]
    values = np.concatenate(groups)
    ranks = np.argsort(np.argsort(values, kind="stable"), kind="stable").astype(float)
    generator = np.random.default_rng(_SEED)
    shuffled = generator.permuted(np.tile(ranks, (_PERMUTATIONS, 1)), axis=1)
    as_far = _between(shuffled, sizes) >= _between(ranks[None, :], sizes)[0] - 1e-9
    return float((1 + as_far.sum()) / (1 + _PERMUTATIONS))


def _between(ranks: NDArray[np.float64], sizes: Sequence[int]) -> NDArray[np.float64]:
    """Of each row the part of Kruskal and Wallis' statistic that depends on the order: sum of (rank sum)^2 / size."""
    edges = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    sums: NDArray[np.float64] = np.add.reduceat(ranks, edges, axis=1)
    return np.asarray((sums**2 / np.asarray(sizes)).sum(axis=1))


def _out_of_line(names: Sequence[str], groups: Sequence[NDArray[np.float64]]) -> str:
    """The machine farthest from the others' median, if the others agree by themselves."""

    def others(i: int) -> list[NDArray[np.float64]]:
        return [group for j, group in enumerate(groups) if j != i]

    away = [
        abs(float(np.median(group)) - float(np.median(np.concatenate(others(i)))))
        for i, group in enumerate(groups)
    ]
    farthest = int(np.argmax(away))
    return names[farthest] if _p(others(farthest)) > DISAGREE_P else ""


def _across(groups: Sequence[NDArray[np.float64]], level: float) -> tuple[float, float, float]:
    means = np.array([group.mean() for group in groups])
    half = t_quantile(0.5 + level / 2, len(means) - 1) * float(means.std(ddof=1)) / math.sqrt(len(means))
    middle = float(means.mean())
    return math.exp(middle), math.exp(middle - half), math.exp(middle + half)


def t_quantile(p: float, freedom: int) -> float:
    """Student's t, for `p` from 0.5 to 0.9999: its density summed up in the angle whose tangent it is."""
    angles = np.linspace(0.0, math.pi / 2, 20_001)
    density = np.cos(angles) ** (freedom - 1)
    area = np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2)])
    angle = float(np.interp((p - 0.5) * 2 * area[-1], area, angles))
    return math.sqrt(freedom) * math.tan(angle)
