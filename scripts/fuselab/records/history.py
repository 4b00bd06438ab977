"""history.csv: what each night found of each comparison, and the level it is part of."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class HistoryRow:
    """One comparison on one night. Ratios are variant / baseline; None where there is none."""

    night: str
    workload: str
    baseline: str
    variant: str
    metric: str
    better: str
    ratio: float | None
    ratio_low: float | None
    ratio_high: float | None
    verdict: str
    revision: str
    dirty: bool
    build: str
    era: int
    """Of nights whose ratios can be compared, counted from 1."""
    level: int | None
    """Of nights between which nothing changed, counted from 1 through all eras."""
    level_ratio: float | None
    change: bool
    """Whether the level began with this night and another one ended before."""
