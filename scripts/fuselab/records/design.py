"""What an experiment states before its first run, as far as judging it needs to know.

A rule hands it on as plain data, and its job makes this of it again: the one place where these fields are spelled.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Literal

Pair = tuple[str, str]
"""(baseline, variant)."""
Blocks = int | Literal["auto"]


@dataclass(frozen=True)
class Guard:
    """By how much `metric` may be worse, at most, in one contrast under one load; a fraction."""

    workload: str
    baseline: str
    variant: str
    metric: str
    limit: float


@dataclass(frozen=True)
class Design:
    """Contrasts and what is judged of them. `baseline` is the experiment's first variant."""

    experiment: str
    baseline: str
    contrasts: tuple[Pair, ...]
    workloads: tuple[str, ...]
    primary: tuple[str, ...]
    threshold: float = 0.05
    """Smallest change that matters, as a fraction: 0.05 is a ratio outside 0.95 to 1.05."""
    blocks: Blocks = 12
    controls: tuple[str, ...] = ()
    """A/A variants, identical to the baseline: compared with it whether or not `contrasts` says so."""
    closed_loop: tuple[str, ...] = ()
    """Workloads that send a request only when the one before has been answered."""
    fixed_rates: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Workload -> metric -> the value at which the load was told to keep it (`write.iops`: its rate)."""
    primary_of: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Workload -> which of `primary` it will yield; all of them where nothing is said."""
    curves: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Curve -> the workloads that are its points. What is said of workloads above is said of curves too."""
    guards: tuple[Guard, ...] = ()
    """Of a curve what is timed, of its points what is counted."""

    @property
    def judged(self) -> tuple[str, ...]:
        """What has primary comparisons: workloads, but curves in the place of their points."""
        return tuple(dict.fromkeys(map(self.judged_as, self.workloads)))

    def judged_as(self, workload: str) -> str:
        return next((curve for curve, points in self.curves.items() if workload in points), workload)

    def measured_with(self, workload: str) -> tuple[str, ...]:
        """The workloads that are judged with `workload`: all points of its curve."""
        judged = self.judged_as(workload)
        return self.curves.get(judged, (judged,))

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """Contrasts in order, then the controls that no contrast names."""
        added = ((self.baseline, control) for control in self.controls)
        return tuple(dict.fromkeys((*self.contrasts, *added)))

    def family_size(self, measured: Mapping[str, Collection[str]]) -> int:
        """Size of the Holm family: contrasts without controls x what is judged x the primary metrics it can yield.

        `measured` are the metrics of each workload that has run; one that has not counts with those that it will
        yield, and a failed variant counts as it was planned.
        """
        contrasts = sum(not self.is_control(pair) for pair in self.pairs)
        planned = {name: self.primary_of.get(name, self.primary) for name in self.judged}
        return contrasts * sum(
            len({*self.primary} & {*measured.get(name, names)}) for name, names in planned.items()
        )

    def is_control(self, pair: Pair) -> bool:
        """Whether a pair is identical on both sides, on purpose."""
        return all(name == self.baseline or name in self.controls for name in pair)


@dataclass(frozen=True)
class CostStep:
    """One contrast of what profiling costs: `after` against `before`, both names of runs in a cost block."""

    profiler: str
    step: Literal["compiled in", "switched on"]
    before: str
    after: str
