"""Whether loads that took turns can be compared by what each did in its own slices.

Work that a variant does while others load (write-back, uploads, compaction) slows them and not itself. What that can
make of a ratio has a bound, and a verdict stands where its whole interval lies beyond that bound.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from fuselab.compare.multiple_testing import differs
from fuselab.compare.schedule import FIXED_LEVEL
from fuselab.compare.signed_rank import Interval, interval

LITTLE = 0.02
"""A bound that is too small to matter: the share of its time that a variant would at most have taken longer."""
DISK_SHARE = 0.10
"""By how much the bytes may differ that both sides give the disk in a second: what is made dirty is written whenever
the kernel likes."""
_NO_DISK = 1.0
"""Added to bytes a second: none has no logarithm."""


@dataclass(frozen=True)
class CarryOver:
    """What is done in the slices of others, and what it can at most be to a ratio."""

    bound: float
    """Share of its time by which a variant would at most have been slower, had it done it in its own slices."""
    words: str

    def hides(self, ratio: Interval) -> bool:
        """Whether the ratio could be due to it, or more than it shows."""
        if ratio.ratio_low is None or ratio.ratio_high is None:
            return True
        return not (ratio.ratio_high < 1 - self.bound or ratio.ratio_low * (1 - self.bound) > 1)


def carry_over(before: pd.DataFrame, after: pd.DataFrame) -> CarryOver | None:
    """Of the runs of both sides, one row each by block; None if there is little, or if no turns were taken. Columns
    `carried`, `disk_per_s` and `io_pressure` (records.metrics.Sample), optional."""
    found = list(filter(None, (*map(_computed, _sides(before, after)), _written(before, after))))
    return max(found, key=lambda each: each.bound, default=None)


def _sides(before: pd.DataFrame, after: pd.DataFrame) -> Iterator[pd.DataFrame]:
    return (runs for runs in (before, after) if len(runs))


def _computed(runs: pd.DataFrame) -> CarryOver | None:
    carried = _typical(runs, "carried")
    if carried <= LITTLE:
        return None
    name = runs["variant"].iloc[0]
    return CarryOver(
        carried,
        f"`{name}` and its services compute in the slices of others, {carried:.2g} s for each second of its own: that "
        "slows them and not itself",
    )


def _written(before: pd.DataFrame, after: pd.DataFrame) -> CarryOver | None:
    """How many pages a load dirties anew goes by when the kernel has written them, so one block tells nothing: the
    sides differ where the signed-rank interval over blocks says so."""
    pressure = max(_typical(runs, "io_pressure") for runs in (before, after))
    if pressure <= LITTLE:
        return None
    pairs = pd.concat([before["disk_per_s"], after["disk_per_s"]], axis=1).astype(float).dropna() + _NO_DISK
    if pairs.empty:
        return None
    ratio = interval(pairs.iloc[:, 0], pairs.iloc[:, 1], FIXED_LEVEL)
    if abs(ratio.ratio - 1) <= DISK_SHARE or not differs(ratio.p, FIXED_LEVEL):
        return None
    return CarryOver(
        pressure,
        f"somebody waited for a disk in {pressure:.0%} of the time, and one side gives it {ratio.ratio:.2f} times as "
        "much as the other, some of that in the slices of either",
    )


def _typical(runs: pd.DataFrame, column: str) -> float:
    """The median run; 0 where nothing is known."""
    if column not in runs:
        return 0.0
    known = runs[column].astype(float).dropna()
    return float(known.median()) if len(known) else 0.0
