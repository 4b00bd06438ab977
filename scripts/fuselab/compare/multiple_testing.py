"""From intervals and p-values to verdicts: what many comparisons at once do to a p-value, and one interval with its
adjusted p to a word. Never "same": a difference is shown, or shown small. Light: `power` imports it.

Primary metrics are one Holm family: contrasts x workloads x primary metrics, controls left out. A verdict of
*faster* or *slower* needs the adjusted p; printed intervals keep their own level, each for itself. Several
looks are paid for by the level of each look (97.8 %, Pocock 1977), which holds for one comparison: at the
smaller levels that Holm asks of several, three looks overlap less and cost more. `LOOKS_PENALTY` makes up for
it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fuselab.compare.schedule import level_of, looks_of, minimum_blocks
from fuselab.records.comparison import BELOW_THRESHOLD, FASTER, INCONCLUSIVE, NO_DIFFERENCE, SLOWER
from fuselab.records.metrics import Better

if TYPE_CHECKING:
    from fuselab.compare.signed_rank import Interval
    from fuselab.records.design import Blocks

LOOKS_PENALTY = 1.2
"""Further factor on p where a family of two or more is looked at more than once. Simulated for independent
comparisons of 12, 20 and 32 blocks, any look counted, families of 2 to 72: without it the family error
reaches 5.8 %, with 1.15 5.03 %, with 1.2 it stays below 5 %."""


def holm(ps: Sequence[float | None], *, family: int | None = None, looks: int = 1) -> list[float | None]:
    """Adjusted p in the order given (Holm 1979); None stays None and counts as a p of 1.

    `family` is the size of the whole family, of which `ps` may be the part known so far: adjusted values then
    only get smaller when the rest arrives.

    Raises:
        ValueError: `family` is smaller than the number of p.
    """
    size = len(ps) if family is None else family
    if size < len(ps):
        raise ValueError(f"a family of {size} cannot hold {len(ps)} comparisons")
    adjusted: list[float | None] = [None] * len(ps)
    running = 0.0
    for rank, (p, index) in enumerate(_sorted(ps)):
        remaining = size - rank
        penalty = LOOKS_PENALTY if looks > 1 and remaining > 1 else 1.0
        running = max(running, min(1.0, remaining * penalty * p))
        adjusted[index] = running
    return adjusted


def least_blocks(family: int, blocks: Blocks) -> int:
    """Fewest blocks after which any of a family of so many comparisons can be called faster or slower."""
    penalty = LOOKS_PENALTY if len(looks_of(blocks)) > 1 and family > 1 else 1.0
    return minimum_blocks(1 - (1 - level_of(blocks)) / (max(1, family) * penalty))


def benjamini_hochberg(ps: Sequence[float | None]) -> list[float | None]:
    """Adjusted p in the order given (Benjamini and Hochberg 1995); None stays None."""
    known = _sorted(ps)
    adjusted: list[float | None] = [None] * len(ps)
    running = 1.0
    for rank, (p, index) in reversed(list(enumerate(known, start=1))):
        running = min(running, len(known) / rank * p)
        adjusted[index] = running
    return adjusted


def _sorted(ps: Sequence[float | None]) -> list[tuple[float, int]]:
    return sorted((p, index) for index, p in enumerate(ps) if p is not None)


@dataclass(frozen=True)
class Claim:
    """What could be said of one comparison. `floor` is the smallest change that the metric can resolve."""

    interval: Interval
    better: Better
    floor: float = 0.0


def verdict(claim: Claim, p_adjusted: float, threshold: float) -> str:
    """The verdict on `claim`, with `threshold` (0.05 for 5 %) as the change that matters.

    *faster* / *slower* ask for an adjusted p within 1 - level and a change of at least `floor`; *no difference
    shown* for an interval inside 1 +- threshold, and a threshold that the metric can resolve. Adjusted p is never
    smaller than p, so a claim of difference implies that the interval leaves 1 out.
    """
    ratio = claim.interval
    if ratio.ratio_low is None or ratio.ratio_high is None:
        return INCONCLUSIVE
    small = 1 - threshold <= ratio.ratio_low and ratio.ratio_high <= 1 + threshold
    if differs(p_adjusted, ratio.level) and abs(ratio.ratio - 1) >= claim.floor:
        gained = (ratio.ratio > 1) == (claim.better == "higher")
        return (FASTER if gained else SLOWER) + (BELOW_THRESHOLD if small else "")
    return NO_DIFFERENCE if small and threshold >= claim.floor else INCONCLUSIVE


def differs(p: float, level: float) -> bool:
    """Whether `p`, adjusted or not, is within the error that the level of an interval allows."""
    return p <= 1 - level


def judge_family(
    claims: Sequence[Claim], *, family: int, looks: int, threshold: float
) -> list[tuple[str, float]]:
    """(verdict, adjusted p) of each claim of one Holm family; `family` and `looks` as in `holm`."""
    adjusted = holm([claim.interval.p for claim in claims], family=family, looks=looks)
    return [
        (verdict(claim, p, threshold), p) for claim, p in zip(claims, adjusted, strict=True) if p is not None
    ]
