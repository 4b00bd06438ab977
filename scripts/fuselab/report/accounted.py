"""What one operation of a load takes, by what it is: of the account of its spans, or of that of its requests.

Both are made of captures. Every time is in ns for each operation of the load, and is *self*: rows add up to the whole,
however many operations each variant got done.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from fuselab import profilers
from fuselab.analysis.account.rows import OUTSIDE_TARGET
from fuselab.records.contrast import Contrast
from fuselab.report.reading import Results

PARTS = ("oncpu_ns", "blocked_ns", "preempted_ns", "queued_ns", "awaiting_ns")
"""What time can be. What is left of the whole is in none of them."""
OUTSIDE, REST = "outside_ns", "rest_ns"
_NO_OPERATION = "("
"""How rows begin that are no operation: threads that wait for work, and time outside the target."""


@dataclass(frozen=True)
class Operation:
    """One operation of the load on one variant."""

    table: pd.DataFrame
    """`name`, `wall_ns` and those of `PARTS` that were captured; rows that are no operation included."""
    requests: bool = False
    """Whether rows are kinds of requests, and not spans."""

    @cached_property
    def inside(self) -> pd.DataFrame:
        """The rows that are operations of the target."""
        return self.table[~self.table["name"].astype(str).str.startswith(_NO_OPERATION)]

    @property
    def captured(self) -> frozenset[str]:
        return frozenset(part for part in PARTS if part in self.inside and self.inside[part].notna().any())

    @property
    def outside_ns(self) -> float:
        """Between the load and the target, where that is known."""
        beyond = self.table[self.table["name"] == OUTSIDE_TARGET.name]
        return float(beyond["wall_ns"].sum()) if "wall_ns" in beyond else 0.0

    @property
    def whole_ns(self) -> float:
        return (float(self.inside["wall_ns"].sum()) if "wall_ns" in self.inside else 0.0) + self.outside_ns

    def causes(self) -> dict[tuple[str, str], float]:
        """(part, operation) -> ns. With what is outside they add up to the whole: the rest may be less than 0."""
        times = {
            (part, str(name)): float(ns)
            for part in PARTS
            if part in self.captured
            for name, ns in self.inside.groupby("name")[part].sum().items()
        }
        rest = self.whole_ns - self.outside_ns - sum(times.values())
        return times | {(OUTSIDE, ""): self.outside_ns, (REST, ""): rest}

    def place(self, name: str) -> str:
        """`file:line` of a span; empty where its trace does not tell."""
        rows = self.inside[self.inside["name"] == name] if "place" in self.inside else self.inside.head(0)
        return next((str(place) for place in rows.get("place", ()) if isinstance(place, str)), "")


def of_spans(results: Results, variant: str, workload: str) -> Operation | None:
    """None where there is no account, or where it does not say of how many operations it is."""
    path, said = results.blindspots.get((variant, workload), (None, None))
    if path is None or said is None or not said.operations:
        return None
    table = pd.read_parquet(path)
    return Operation(_each(table, said.operations)) if len(table) else None


def of_requests(results: Results, variant: str, workload: str) -> Operation | None:
    """As `of_spans`."""
    for name in profilers.giving("in_flight"):
        seen = results.profiles.get((variant, workload, name))
        path = seen and seen.folder / profilers.REGISTRY[name].account.in_flight
        if seen and path and path.is_file() and seen.profile.operations:
            table = pd.read_parquet(path).rename(columns={"opcode": "name", "in_flight_ns": "wall_ns"})
            return Operation(_each(table, seen.profile.operations), requests=True)
    return None


def _each(table: pd.DataFrame, operations: int) -> pd.DataFrame:
    times = [name for name in table if name in ("wall_ns", *PARTS)]
    return table.assign(**{name: table[name] / operations for name in times})


def pair(results: Results, contrast: Contrast, workload: str) -> tuple[Operation, Operation] | None:
    """Both sides of a contrast from the account that tells most: spans with their waits, requests, spans without."""
    found = [sides for of in (of_spans, of_requests) if (sides := _both(of, results, contrast, workload))]
    told = [sides for sides in found if all("awaiting_ns" in side.captured for side in sides)]
    return next(iter([*told, *found]), None)


def _both(
    of: Callable[[Results, str, str], Operation | None], results: Results, contrast: Contrast, workload: str
) -> tuple[Operation, Operation] | None:
    before, after = (of(results, name, workload) for name in (contrast.baseline, contrast.variant))
    return (before, after) if before and after and before.whole_ns and after.whole_ns else None


@dataclass(frozen=True)
class Step:
    """What one operation takes more or less of."""

    part: str
    """One of `PARTS`, OUTSIDE, REST, or empty: several small ones together."""
    name: str
    change_ns: float


_WORTH = 0.02
"""Of the longer side: a smaller change has no step of its own."""
_SEEN = 0.001
"""Of the longer side: what is less, all together, is none that a picture could show."""
_MOST = 6
"""Steps; what is left is one more."""


def steps(before: Operation, after: Operation) -> tuple[Step, ...]:
    """From one side to the other, the largest change first; the rest comes last. They add up to the difference."""
    sides = before.causes(), after.causes()
    both = before.captured & after.captured
    changes = {
        cause: sides[1].get(cause, 0.0) - sides[0].get(cause, 0.0)
        for cause in dict.fromkeys((*sides[0], *sides[1]))
        if cause[0] in both or cause == (OUTSIDE, "")
    }
    rest = Step(REST, "", after.whole_ns - before.whole_ns - sum(changes.values()))
    longer = max(before.whole_ns, after.whole_ns)
    worth = _WORTH * longer
    found = sorted((Step(*cause, ns) for cause, ns in changes.items()), key=lambda step: -abs(step.change_ns))
    large = [step for step in found[:_MOST] if abs(step.change_ns) >= worth]
    last = [rest] if abs(rest.change_ns) >= worth else []
    small = Step("", "", sum(step.change_ns for step in (*found, rest) if step not in (*large, *last)))
    return (*large, *([small] if abs(small.change_ns) >= _SEEN * longer else []), *last)
