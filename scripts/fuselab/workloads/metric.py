"""What a metric is, apart from its value: one entry says its name, unit, better direction, what it needs, and words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fuselab.records.metrics import Better


PERCENTILE_RESOLUTION = 0.02
"""Smallest change claimed on a percentile: fio's latency buckets are up to 1.6 % wide, so that two runs on either side
of an edge differ by a whole bucket in every block, however close they are."""

TAIL_IOS = 10
"""I/Os that must lie beyond a percentile in every run, for it to be compared or drawn."""


def beyond(count: int, percentile: float) -> int:
    """How many of `count` operations lie beyond a percentile. In thousandths of a percent, for which binary fractions
    are too coarse: 99.9 % of 10,000 leaves 10, and in them 9.99."""
    return count * round(1000 * (100 - percentile)) // 100_000


@dataclass(frozen=True)
class Phrase:
    """How a metric is spoken of: `verb` with faster and slower, or a `noun` that is larger or smaller."""

    noun: str
    verb: str | None = None
    more: str = "higher"
    less: str = "lower"
    be: str = "is"
    """`are` of a noun that is many."""


@dataclass(frozen=True)
class Metric:
    """One number of one run. `tail_ios` is how many I/Os lie beyond a percentile; None for other metrics.

    `slope` is ln(throughput in the second half of the measured time / in the first), where that is known.
    """

    name: str
    unit: str
    better: Better
    value: float
    tail_ios: int | None = None
    slope: float | None = None


@dataclass(frozen=True)
class Quantity:
    """A metric that a kind of load, or every run, can have."""

    name: str
    unit: str
    better: Better
    phrase: Phrase
    side: str = ""
    """Of which operations it is, where a load has several kinds of them: `write`."""
    percentile: float | None = None
    """99.9 of p99.9. In every run some I/Os must lie beyond it: `tail_ios` says how many do."""
    counted: bool = False
    """Whether it counts work: judged by whether it repeats, and no clock is in it."""
    event: str = ""
    """Of a counter: what there is more or less of, per operation of the load."""
    one: str = ""
    """Of a counter: a single one of them."""
    telling: int = 0
    """Of a counter: its place among others in a sentence. One of a lower number is named first, whatever its size."""
    part_of: str = ""
    """Of a counter: the one of all, of which this is one kind."""

    @property
    def resolution(self) -> float:
        """Smallest change that a verdict on it may claim, as a fraction."""
        return 0.0 if self.percentile is None else PERCENTILE_RESOLUTION

    @property
    def is_tail(self) -> bool:
        """Whether it is a percentile above p90."""
        return self.percentile is not None and self.percentile > 90

    def of(self, value: float, tail_ios: int | None = None, slope: float | None = None) -> Metric:
        return Metric(self.name, self.unit, self.better, value, tail_ios, slope)


CPU = Quantity("target.cpu_s", "s", "lower", Phrase("CPU time of the target", more="more", less="less"))
PEAK_MEMORY = Quantity("target.rss_peak_bytes", "B", "lower", Phrase("peak memory of the target"))
TARGET = (CPU, PEAK_MEMORY)
"""Of every run with a target, whatever its load."""

_PERCENTILE = re.compile(r"(?:^|[._])p(\d\d?)(?:[._]?(\d+))?$")


def unknown(name: str) -> Quantity:
    """Of a metric that no kind of load knows: called by its own name, which tells whether it is a percentile."""
    match = _PERCENTILE.search(name)
    percentile = float(f"{match[1]}.{match[2] or 0}") if match else None
    return Quantity(name, "", "lower", Phrase(name), percentile=percentile)
