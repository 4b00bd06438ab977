"""What a metric is, apart from its value: one entry says its name, unit, better direction and words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Better = Literal["higher", "lower"]


@dataclass(frozen=True)
class Phrase:
    """How a metric is spoken of: `verb` with faster and slower, or a `noun` that is larger or smaller."""

    noun: str
    verb: str | None = None
    more: str = "higher"
    less: str = "lower"


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

    def of(self, value: float, tail_ios: int | None = None, slope: float | None = None) -> Metric:
        return Metric(self.name, self.unit, self.better, value, tail_ios, slope)


TARGET = (
    Quantity("target.cpu_s", "s", "lower", Phrase("CPU time of the target", more="more", less="less")),
    Quantity("target.rss_peak_bytes", "B", "lower", Phrase("peak memory of the target")),
)
"""Of every run with a target, whatever its load."""
