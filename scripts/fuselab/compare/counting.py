"""Whether one side makes more work than the other, by what was counted in runs of the same work. No clock is in it.

Two counts are apart where more lies between them than the runs of either side differ by; where all runs of a side
repeat its count, any difference is. Chance does that most often if each run is one of two counts by the toss of a coin:
once in 2**(2n - 1) experiments of n runs a side, 32,768 for 8, whatever else is counted. That needs no blocks and no
correction. What is not apart is judged as times are, by the signed-rank test of blocks, with Holm over all that
scatter.

That coin asks that the order of runs does not matter: positions are balanced in blocks (`schedule`), so that what
depends on the position alone cannot hold the two apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from fuselab.compare.multiple_testing import differs, holm
from fuselab.compare.signed_rank import Floats, infer, interval, sign_flip_p
from fuselab.records.comparison import (
    BELOW_THRESHOLD,
    INCONCLUSIVE,
    LESS_WORK,
    MORE_WORK,
    NO_DIFFERENCE,
    Comparison,
)

LEVEL = 0.99
"""Of intervals, and of the family of counters that scatter: they are many, and seldom what was asked for."""
FEWEST = 6
"""Runs of each side below which no count is said to repeat: with 6 coins look like two counts once in 2,048 times."""
_DIGITS = 12
"""Significant ones of a count per operation: 388 in 128 and 776 in 256 are the same."""


def apart_p(runs: int) -> float:
    """Largest probability that chance alone holds `runs` runs of each side apart, of one counter.

    A run has the count a with probability p and b with q: 2 p**n q**n is largest with p = q = 1/2, and any other
    distribution splits into two halves with a gap that wide less often.
    """
    return 2.0 ** (1 - 2 * runs)


def apart(before: Floats, after: Floats) -> bool:
    """Whether more lies between the runs of the two sides than within either of them."""
    gap = max(after.min() - before.max(), before.min() - after.max())
    return bool(gap > max(np.ptp(before), np.ptp(after)))


def compared(row: Comparison, runs: pd.DataFrame, threshold: float) -> Comparison:
    """`row` with what its `runs` say (columns before and after, a row a block); of what scatters not yet a verdict."""
    row = replace(row, level=LEVEL, voided=None)
    if missing := int(runs.isna().any(axis=1).sum()):
        return row.settled(INCONCLUSIVE, f"one side was not counted in {missing} of {len(runs)} blocks")
    before, after = (rounded(runs[side].to_numpy(dtype=float)) for side in ("before", "after"))
    row = _with_ratio(row, before, after)
    if row.blocks < FEWEST:
        return row.settled(INCONCLUSIVE, f"{row.blocks} runs of each: a verdict takes {FEWEST}")
    if (before == before[0]).all() and (after == before[0]).all():
        return row.settled(NO_DIFFERENCE, "every run of both has this count")
    if apart(before, after):
        row = replace(row, p=apart_p(row.blocks))
        return row.settled(_difference(row, threshold), _how(before, after))
    return replace(row, p=_signed_rank_p(before, after))


def rounded(counts: Floats) -> Floats:
    """To as many digits as a count per operation has."""
    return np.array([float(f"{count:.{_DIGITS}g}") for count in counts])


def _with_ratio(row: Comparison, before: Floats, after: Floats) -> Comparison:
    """Where one side counted nothing in some run there is none, and where each side repeats its interval is a point."""
    row = replace(row, mean_ratio=float(after.mean() / before.mean()) if before.any() else None)
    if not _all_positive(before, after):
        return row
    found = interval(before, after, LEVEL)
    low, high = found.ratio_low, found.ratio_high
    if not np.ptp(before) and not np.ptp(after):
        low = high = found.ratio
    return replace(row, ratio=found.ratio, ratio_low=low, ratio_high=high)


def _all_positive(before: Floats, after: Floats) -> bool:
    return bool((before > 0).all() and (after > 0).all())


def _signed_rank_p(before: Floats, after: Floats) -> float:
    if _all_positive(before, after):
        return infer(np.log(after / before), LEVEL).p
    return sign_flip_p(after - before)


def _how(before: Floats, after: Floats) -> str:
    if not np.ptp(before) and not np.ptp(after):
        return "every run of each has its count"
    return "more lies between the two than within either"


def corrected(rows: Sequence[Comparison], threshold: float) -> Iterator[Comparison]:
    """All counters of an experiment with their verdicts: Holm over those that scatter, of all contrasts."""
    scattering = [row for row in rows if not row.gated]
    adjusted = iter(holm([row.p for row in scattering]))
    correction = f"Holm over the {len(scattering)} that scatter"
    for row in rows:
        yield row if row.gated else _judged(row, next(adjusted), correction, threshold)


def _judged(row: Comparison, p_adjusted: float | None, correction: str, threshold: float) -> Comparison:
    row = replace(row, p_adjusted=p_adjusted, correction=correction)
    if p_adjusted is not None and differs(p_adjusted, LEVEL):
        return replace(row, verdict=_difference(row, threshold))
    return replace(row, verdict=NO_DIFFERENCE if _small(row, threshold) else INCONCLUSIVE)


def _difference(row: Comparison, threshold: float) -> str:
    """Of a row whose sides differ. Without any ratio the baseline counted nothing at all."""
    ratio = row.mean_ratio if row.ratio is None else row.ratio
    less = ratio is not None and ratio < 1
    return (LESS_WORK if less else MORE_WORK) + BELOW_THRESHOLD * _small(row, threshold)


def _small(row: Comparison, threshold: float) -> bool:
    low, high = row.ratio_low, row.ratio_high
    return low is not None and high is not None and 1 - threshold <= low and high <= 1 + threshold
