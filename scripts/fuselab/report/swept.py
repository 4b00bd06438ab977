"""What was measured of a load that was swept over a number: by point, variant and metric."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from fuselab.compare import curve_findings
from fuselab.compare.curve_findings import Level
from fuselab.compare.schedule import level_of
from fuselab.records.comparison import Comparison
from fuselab.records.plan import WorkloadPlan
from fuselab.records.point import Coordinate, Point
from fuselab.report.figures import base
from fuselab.report.figures.curves import Axis
from fuselab.report.reading import Results
from fuselab.workloads import REGISTRY, quantity


def curves(results: Results) -> list[Curve]:
    return [Curve(results, name, points) for name, points in results.plan.curves.items()]


def point_of(workload: WorkloadPlan) -> Point:
    assert workload.point is not None  # it is one of a curve
    return workload.point


@dataclass(frozen=True)
class Slice:
    """The points of a curve at one value of its second axis; all of them where there is none."""

    text: str
    """` at bs 4k`; empty without a second axis."""
    points: tuple[WorkloadPlan, ...]

    @property
    def at(self) -> list[Coordinate]:
        return [point_of(workload).at[0] for workload in self.points]


class Curve:
    """What was measured of one swept load."""

    def __init__(self, results: Results, name: str, points: Sequence[WorkloadPlan]) -> None:
        self.results, self.name, self.points = results, name, tuple(points)
        self.plan, self.level = results.plan, level_of(results.plan.blocks)
        self.variants = base.places(self.plan.names())

    @cached_property
    def slices(self) -> list[Slice]:
        found: dict[str, list[WorkloadPlan]] = {}
        for workload in self.points:
            others = point_of(workload).at[1:]
            text = "".join(f", {one.axis} {one.text}" for one in others)
            found.setdefault(text, []).append(workload)
        return [Slice(text, tuple(points)) for text, points in found.items()]

    @cached_property
    def axis(self) -> Axis:
        at = self.slices[0].at
        return Axis(at[0].axis, tuple(one.value for one in at), tuple(one.text for one in at))

    @cached_property
    def values(self) -> dict[tuple[str, str, str], dict[int, float]]:
        """(workload, variant, metric) -> block -> value."""
        mine = {workload.name for workload in self.points}
        found: dict[tuple[str, str, str], dict[int, float]] = {}
        for sample in self.results.samples:
            if sample.workload in mine and not quantity(sample.metric).counted:
                found.setdefault((sample.workload, sample.variant, sample.metric), {})[sample.block] = (
                    sample.value
                )
        return found

    @cached_property
    def rows(self) -> dict[tuple[str, str, str, str], Comparison]:
        """(workload, baseline, variant, metric) -> the row of comparisons.csv."""
        return {(r.workload, r.baseline, r.variant, r.metric): r for r in self.results.comparisons}

    @cached_property
    def metrics(self) -> list[str]:
        """What is drawn: throughput and latency of each kind of operation, and what is primary or has a limit."""
        known = list(dict.fromkeys(metric for _, _, metric in self.values))
        sides = dict.fromkeys(quantity(metric).side for metric in known)
        typical = [self.first(side, unit) for side in sides for unit in ("B/s", "ns")]
        asked = [*self.plan.primary, *point_of(self.points[0]).limit]
        return [m for m in dict.fromkeys((*filter(None, typical), *asked)) if m in known]

    def first(self, side: str, *units: str) -> str | None:
        known = dict.fromkeys(metric for _, _, metric in self.values)
        return next((m for m in known if quantity(m).side == side and quantity(m).unit in units), None)

    def level_of(self, workload: str, variant: str, metric: str) -> Level | None:
        """None where a percentile of it is not shown either: too few I/Os lie beyond it."""
        found = [v for (w, _, name, m), v in self.rows.items() if (w, m) == (workload, metric)]
        if any(row.note.startswith("not shown") for row in found):
            return None
        blocks = self.values.get((workload, variant, metric), {})
        return curve_findings.level_at([blocks[number] for number in sorted(blocks)], self.level)

    def matrix(self, each: Slice, variant: str, metric: str) -> pd.DataFrame:
        """Blocks x points."""
        columns = {w.name: self.values.get((w.name, variant, metric), {}) for w in each.points}
        return pd.DataFrame({name: pd.Series(blocks, dtype=float) for name, blocks in columns.items()})

    @property
    def is_of_intensity(self) -> bool:
        """Whether its axis asks for more of the same, at once or more often."""
        kind, over = REGISTRY[self.points[0].kind], point_of(self.points[0]).at[0].over.split(".")
        return over[0] == kind.name and kind.intensity(over[-1])
