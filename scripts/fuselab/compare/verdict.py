"""One interval and one adjusted p in, a word out. Never "same": a difference is shown, or shown small."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fuselab.compare.estimate import Interval
from fuselab.compare.families import holm
from fuselab.records.comparison import (
    BELOW_THRESHOLD,
    FASTER,
    INCONCLUSIVE,
    NO_DIFFERENCE,
    SLOWER,
)
from fuselab.records.metrics import Better


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
    found = claim.interval
    if found.ratio_low is None or found.ratio_high is None:
        return INCONCLUSIVE
    small = 1 - threshold <= found.ratio_low and found.ratio_high <= 1 + threshold
    if differs(found, p_adjusted) and abs(found.ratio - 1) >= claim.floor:
        gained = (found.ratio > 1) == (claim.better == "higher")
        return (FASTER if gained else SLOWER) + (BELOW_THRESHOLD if small else "")
    return NO_DIFFERENCE if small and threshold >= claim.floor else INCONCLUSIVE


def differs(found: Interval, p: float) -> bool:
    """Whether `p`, adjusted or not, is within the error that the interval's level allows."""
    return p <= 1 - found.level


def judge_family(
    claims: Sequence[Claim], *, family: int, looks: int, threshold: float
) -> list[tuple[str, float]]:
    """(verdict, adjusted p) of each claim of one Holm family; `family` and `looks` as in `families.holm`."""
    adjusted = holm([claim.interval.p for claim in claims], family=family, looks=looks)
    return [
        (verdict(claim, p, threshold), p) for claim, p in zip(claims, adjusted, strict=True) if p is not None
    ]
