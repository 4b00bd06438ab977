"""Whether two variants fail at different rates: Fisher's exact test, which holds for few trials and rare failures."""

from __future__ import annotations

from dataclasses import dataclass
from math import comb


@dataclass(frozen=True)
class Tally:
    """How many of a variant's trials failed. How many there were must not depend on how they ended."""

    failed: int
    trials: int

    def __str__(self) -> str:
        return f"{self.failed or 'none'} of {self.trials}"


def fisher_p(one: Tally, other: Tally) -> float:
    """Two-sided: how probable tables are that are as improbable as this one or more, if both fail at one rate.

    Given the sums of the table, the failures of `one` are hypergeometric. Counted in whole numbers, so nothing is
    rounded where tables are equally probable.
    """
    failed, trials = one.failed + other.failed, one.trials + other.trials
    possible = range(max(0, failed - other.trials), min(failed, one.trials) + 1)
    ways = {k: comb(one.trials, k) * comb(other.trials, failed - k) for k in possible}
    return sum(n for n in ways.values() if n <= ways[one.failed]) / comb(trials, failed)
