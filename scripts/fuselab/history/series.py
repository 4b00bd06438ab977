"""From nights to series: one for each primary comparison, cut wherever its ratios stop to mean the same thing."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from fuselab.history.change_points import change_points
from fuselab.history.nights import Night
from fuselab.records.plan import PlanFile, WorkloadPlan
from fuselab.records.summary import Summary, SummaryRow, SummaryVariant

Key = tuple[str, str, str, str]
"""Workload, baseline, variant, metric."""


@dataclass(frozen=True)
class Point:
    """One night of a series. Ratios are variant / baseline, None where there is none (too few blocks, a failure)."""

    night: str
    row: SummaryRow
    program: SummaryVariant
    """What ran as the variant."""


@dataclass(frozen=True)
class Change:
    """The level changed with the night `first`, if not earlier: what is between `before` and `last` did it."""

    first: Point
    """Of the new level, as the figures fit best."""
    before: Point
    """The last night that cannot be one of the new level."""
    last: Point
    """The first night that cannot be one of the old level."""


@dataclass(frozen=True)
class Level:
    """Consecutive nights between which nothing changed, as far as can be told."""

    points: tuple[Point, ...]
    change: Change | None = None
    """With which it began; None if it is the first of its era."""

    @property
    def ratio(self) -> float:
        """Of its typical night: the median."""
        return statistics.median(p.row.ratio for p in self.points if p.row.ratio is not None)


@dataclass(frozen=True)
class Era:
    """Consecutive nights whose ratios can be compared: one reference, one load, one machine."""

    began: str
    """What changed when it began; empty for the first."""
    points: tuple[Point, ...]
    levels: tuple[Level, ...]
    """Of the points that have a ratio."""

    @property
    def judged(self) -> int:
        """Nights with a ratio."""
        return sum(len(level.points) for level in self.levels)


@dataclass(frozen=True)
class Series:
    """The nights of one comparison, the oldest first."""

    workload: str
    baseline: str
    variant: str
    metric: str
    better: str
    eras: tuple[Era, ...]
    curve: bool = False
    """Whether its load is swept: one ratio is then of several loads."""

    @property
    def points(self) -> tuple[Point, ...]:
        return tuple(point for era in self.eras for point in era.points)

    @property
    def changes(self) -> tuple[tuple[Level, Level], ...]:
        """(before, after) of every change point, the oldest first."""
        return tuple(pair for era in self.eras for pair in pairwise(era.levels))


def all_series(nights: Sequence[Night]) -> tuple[Series, ...]:
    """One for each primary comparison that any night has, controls left out, those of the last night first."""
    keys = dict.fromkeys(key for night in reversed(nights) for key in _keys(night.summary))
    return tuple(_series(key, nights) for key in keys)


def _keys(summary: Summary) -> Iterator[Key]:
    return (_key(row) for row in summary.comparisons if not row.control)


def _key(row: SummaryRow) -> Key:
    return row.workload, row.baseline, row.variant, row.metric


def _series(key: Key, nights: Sequence[Night]) -> Series:
    workload, baseline, variant, metric = key
    eras: list[tuple[str, list[Point]]] = []
    before: dict[str, object] | None = None
    better = ""
    for night in nights:
        row = next((row for row in night.summary.comparisons if _key(row) == key), None)
        if row is None:
            continue
        better = row.better
        footing = _footing(night, row)
        if before is None or footing != before:
            eras.append(("" if before is None else _what_changed(before, footing), []))
        before = footing
        eras[-1][1].append(Point(night.night, row, _program(night.summary, variant)))
    curve = any(w.point and w.judged_as == workload for night in nights for w in night.plan.workloads)
    return Series(
        workload, baseline, variant, metric, better, tuple(_era(b, tuple(p)) for b, p in eras), curve
    )


def _era(began: str, points: tuple[Point, ...]) -> Era:
    judged = tuple(point for point in points if point.row.ratio is not None)
    found = change_points([math.log(point.row.ratio) for point in judged if point.row.ratio is not None])
    bounds = [0, *(change.index for change in found), len(judged)]
    changes = [None, *(Change(judged[c.index], judged[c.first - 1], judged[c.last]) for c in found)]
    levels = tuple(
        Level(judged[start:end], change)
        for (start, end), change in zip(pairwise(bounds), changes, strict=True)
        if start < end
    )
    return Era(began, points, levels)


def _footing(night: Night, row: SummaryRow) -> dict[str, object]:
    """What must stay for two ratios to mean the same thing, by the word for it.

    The variant's program is what is followed: its revision and build are no part of it. A host's name is none either,
    for containers make up new ones.
    """
    reference = _program(night.summary, row.baseline)
    return {
        "the reference": reference.build or reference.sha256,
        "the machine": night.summary.hardware or night.summary.machines,
        "the load": _workload(night.plan, row),
        "how they are mounted": [_setting(night.plan, name) for name in (row.baseline, row.variant)],
    }


def _what_changed(before: dict[str, object], after: dict[str, object]) -> str:
    return " and ".join(what for what in before if before[what] != after[what])


def _program(summary: Summary, variant: str) -> SummaryVariant:
    return next((v for v in summary.variants if v.name == variant), SummaryVariant(variant))


def _workload(
    plan: PlanFile, row: SummaryRow
) -> tuple[list[WorkloadPlan], list[Mapping[str, Mapping[str, str]]]]:
    """The load (all points of a curve), and what each side changes of it; the spec has the night's seed in it."""
    found = [replace(w, spec="") for w in plan.workloads if w.judged_as == row.workload]
    own = [v.own for v in plan.variants if v.name in (row.baseline, row.variant)]
    return found, own


def _setting(plan: PlanFile, name: str) -> str:
    return next((v.setting for v in plan.variants if v.name == name), "")
