"""Which of a line of commits is the first with a change, from differences that scatter: the search of a bisect.

Commits are numbered from 0, behind the good end, to the bad end. Of each that was looked at there are differences
against the good end, one a block: ln(ratio) of a metric, or the difference of a count. One step is assumed: commits
before the first changed one differ by nothing, it and all behind it by one and the same shift. Every commit is as
likely beforehand. Shift and scatter are not known either: both are averaged over a grid that the ends' differences
give, with a scatter of Student's t (4 degrees of freedom), so that a single wild block moves little.

What is looked at next is what tells most for its time: the expected information about the first changed commit
(Horstein 1963; Burnashev and Zigangirov 1974 for its rate), divided by the seconds it takes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from fuselab.compare.signed_rank import Floats

WOBBLE = 0.01
"""Standard deviation of ln(speed) from one build of the same source to the next, by the layout of its code alone."""
BATCHES = (1, 2, 4, 8)
"""How many blocks of one commit may be asked for at once."""
MOST_BLOCKS = 96
"""Of one commit. What 32 cannot tell apart on a noisy machine, twice as many often can."""
_FEWEST_BITS = 1e-3
"""What tells less than that is not looked at."""
_FREEDOM = 4
_EFFECTIVE = math.sqrt((_FREEDOM + 3) / (_FREEDOM + 1))
"""Normal noise that tells as little about a shift as Student's t of scale 1: by its Fisher information."""
_SCALES = np.geomspace(0.6, 1.7, 5)
_SHIFTS = np.linspace(-4.0, 4.0, 17)
_EXACT = 1 / 50
"""Of the shift: the scale where the ends repeat their differences exactly. One block then decides."""
_OFFSETS = np.array([-math.sqrt(3), 0.0, math.sqrt(3)])
_OFFSET_WEIGHTS = np.log(np.array([1 / 6, 2 / 3, 1 / 6]))
"""Three points that have the moments of a normal distribution up to the fifth (Gauss and Hermite)."""
_LINE = np.linspace(-6.0, 6.0, 61)


@dataclass(frozen=True)
class Belief:
    """What is known so far."""

    first: Floats
    """By commit: the probability that it is the first changed one, shape (n,)."""
    shift: float
    """Expected difference behind the change."""
    scale: float
    """Expected scatter of one block's difference, as the standard deviation of normal noise that tells as much."""

    @property
    def changed(self) -> Floats:
        """By commit: the probability that it has the change, shape (n,)."""
        return np.minimum(np.cumsum(self.first), 1.0)


@dataclass(frozen=True)
class Step:
    """What to look at next."""

    commit: int
    blocks: int


def believe(commits: int, seen: Mapping[int, Sequence[float]], wobble: float = 0.0) -> Belief:
    """From the differences `seen` of each commit, in units in which a build scatters by `wobble`.

    Raises:
        ValueError: nothing was seen of the bad end, or its typical difference is 0.
    """
    ends = np.asarray(seen.get(commits - 1, ()), dtype=float)
    if not len(ends) or not np.median(ends):
        raise ValueError("the ends do not differ")
    shifts, scales = _grid(ends, wobble)
    without, with_it = np.zeros((2, commits, len(shifts), len(scales)))
    for commit, differences in seen.items():
        if len(differences):
            d = np.asarray(differences, dtype=float)
            without[commit] = _likelihood(d, np.zeros(1), scales, wobble)
            with_it[commit] = _likelihood(d, shifts, scales, wobble)
    before = np.cumsum(without, axis=0) - without  # of the commits before each
    behind = np.cumsum(with_it[::-1], axis=0)[::-1]  # of each and those behind it
    log = before + behind
    weights = np.exp(log - log.max())
    weights /= weights.sum()
    by_shift, by_scale = weights.sum(axis=(0, 2)), weights.sum(axis=(0, 1))
    return Belief(weights.sum(axis=(1, 2)), float(by_shift @ shifts), float(by_scale @ scales) * _EFFECTIVE)


def classes(commits: int, untestable: Collection[int]) -> list[range]:
    """The commits in groups that no look can part: those that could not be tested, and the one behind them."""
    ends = [i for i in range(commits) if i not in untestable]
    return [range(start + 1, end + 1) for start, end in zip([-1, *ends], ends, strict=False)]


def likeliest(belief: Belief, groups: Iterable[range]) -> tuple[range, float]:
    """The group that has the first changed commit most probably, and that probability."""
    sure = {group: float(belief.first[group.start : group.stop].sum()) for group in groups}
    best = max(sure, key=lambda group: sure[group])
    return best, sure[best]


def plausible(belief: Belief, certainty: float) -> list[int]:
    """The fewest commits that together are as sure as `certainty`, the earliest first."""
    order = np.argsort(-belief.first, kind="stable")
    count = int(np.searchsorted(np.cumsum(belief.first[order]), certainty)) + 1
    return sorted(int(commit) for commit in order[:count])


def next_step(
    belief: Belief, allowed: Mapping[int, int], seconds: Callable[[int, int], float], wobble: float = 0.0
) -> Step | None:
    """What tells most for its time; None where nothing that is `allowed` (commit -> how many blocks) tells anything.

    `seconds` says how long so many blocks of a commit take, its build with them.
    """
    steps = [Step(i, blocks) for i, most in allowed.items() for blocks in BATCHES if blocks <= most]
    tells = {step: _tells(belief, step, wobble) for step in steps}
    worth = [step for step, bits in tells.items() if bits >= _FEWEST_BITS]
    return max(worth, key=lambda step: tells[step] / seconds(step.commit, step.blocks), default=None)


def _tells(belief: Belief, step: Step, wobble: float) -> float:
    """Expected information of a step about the first changed commit, in bits."""
    noise = math.hypot(belief.scale / math.sqrt(step.blocks), wobble)
    apart = min(abs(belief.shift) / noise, 12.0) if noise else 12.0
    return _channel(round(float(belief.changed[step.commit]), 4), round(apart, 2))


@lru_cache(maxsize=8192)
def _channel(share: float, apart: float) -> float:
    """Bits about a coin of `share` that one look tells, where its sides are `apart` in standard deviations."""
    if not 0 < share < 1:
        return 0.0
    z = np.concatenate([_LINE, _LINE + apart])
    z.sort()
    one, other = share * np.exp(-((z - apart) ** 2) / 2), (1 - share) * np.exp(-(z**2) / 2)
    both = one + other + 1e-300
    left = np.trapezoid(both * _entropy(one / both), z) / math.sqrt(2 * math.pi)
    return max(0.0, float(_entropy(np.array(share))) - float(left))


def _entropy(share: Floats) -> Floats:
    """Of a coin, in bits."""
    p = np.clip(share, 1e-12, 1 - 1e-12)
    found: Floats = -(p * np.log2(p) + (1 - p) * np.log2(1 - p))
    return found


def _grid(ends: Floats, wobble: float) -> tuple[Floats, Floats]:
    """Shifts and scales to average over, from the differences of the bad end."""
    middle = float(np.median(ends))
    scale = max(1.25 * float(np.median(np.abs(ends - middle))), abs(middle) * _EXACT)
    unsure = math.hypot(1.3 * scale / math.sqrt(len(ends)), wobble)
    # A shift of the other sign would be another change than the one that was shown.
    shifts = np.unique(np.clip(np.abs(middle) + unsure * _SHIFTS, np.abs(middle) / 4, None))
    return math.copysign(1.0, middle) * shifts, scale * _SCALES


def _likelihood(differences: Floats, shifts: Floats, scales: Floats, wobble: float) -> Floats:
    """ln of the likelihood of one build's differences, shape (shifts, scales), its own wobble averaged out."""
    offsets, weights = (wobble * _OFFSETS, _OFFSET_WEIGHTS) if wobble else (np.zeros(1), np.zeros(1))
    centres = shifts[:, None] + offsets[None, :]
    z = (differences - centres[..., None, None]) / scales[:, None]
    each = -(_FREEDOM + 1) / 2 * np.log1p(z**2 / _FREEDOM) - np.log(scales)[:, None]
    found: Floats = np.logaddexp.reduce(each.sum(axis=-1) + weights[None, :, None], axis=1)
    return found
