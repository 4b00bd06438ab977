"""plan.json: the experiment as resolved, in the plan's own order. `workflow.description` makes it.

Fields that an older file lacks take their defaults, so that a report can be made from results that were measured before
a field existed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fuselab.files import read_json
from fuselab.records.contrast import Contrast
from fuselab.records.design import Blocks
from fuselab.records.point import Point


@dataclass(frozen=True)
class VariantPlan:
    name: str
    target: str = ""
    backend: str = ""
    rev: str = ""
    features: tuple[str, ...] = ()
    rustflags: tuple[str, ...] = ()
    profile: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    fio: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    control: bool = False
    argv: tuple[str, ...] = ()
    """As mounted in timed runs, placeholders not yet filled; empty without a mount."""
    builds: Mapping[str, str] = field(default_factory=dict)
    """Profilers joined by `+` (`none` for timed runs) -> `<target>/<build>` below results/builds."""
    verify_spec: str = ""
    """Of plans from before a variant could have several verifying runs: `PlanFile.verified` reads both."""
    services: Mapping[str, str] = field(default_factory=dict)
    """The services that its mounts need, as services/<service>.yaml defines them, by what each is to its backend."""
    links: Mapping[str, str] = field(default_factory=dict)
    """`service`, or `service.meta`, that is some way off -> how far, as it was asked for."""
    drain: str = ""
    """What tells that it has drained, in words; empty: its unmount."""
    setting: str = ""
    """Hash of how it is mounted in timed runs, whatever its program is: what history may not compare across."""

    @property
    def timed_build(self) -> str:
        """`<target>/<build>` of timed runs; empty for an installed program."""
        return self.builds.get("none", "")

    @property
    def own(self) -> Mapping[str, Mapping[str, str]]:
        """By kind of load: what it changes of loads of that kind."""
        return {"fio": self.fio} if self.fio else {}


@dataclass(frozen=True)
class WorkloadPlan:
    name: str
    kind: str = "fio"
    spec: str = ""
    """Of its blocks: they are in `blocks/<workload>/<spec>/`."""
    cache: str = "cold"
    job: str | None = None
    """Text of the job file, for the kinds that have one."""
    settings: Mapping[str, object] = field(default_factory=dict)
    work_spec: str = ""
    """Of the blocks in which its work is counted, `work/<workload>/<work_spec>/`; empty if it is not."""
    work: str = ""
    """How what is counted differs from what is timed, `256 I/Os of 128k instead of 3 s`; or why it is not counted."""
    point: Point | None = None
    slice_s: float | None = None
    """Length of the turns that the loads of a block take; None where its runs follow each other."""

    @property
    def judged_as(self) -> str:
        """The load whose verdict decides: the whole curve where this is one point of it."""
        return self.point.curve if self.point else self.name


@dataclass(frozen=True)
class Verifying:
    """One verifying run: of a variant as it is mounted under `workloads`."""

    variant: str
    spec: str
    workloads: tuple[str, ...]

    def only(self, loads: Collection[str]) -> tuple[str, ...]:
        """The loads that it is of; none where these are all `loads` of the experiment."""
        return self.workloads if {*loads} - {*self.workloads} else ()


@dataclass(frozen=True)
class Capture:
    """Captures of one variant under one workload with one set of profilers: one spec, `repeats` runs."""

    variant: str
    workload: str
    profilers: tuple[str, ...]
    spec: str
    repeats: int = 1

    @property
    def profiler(self) -> str:
        return "+".join(self.profilers)


@dataclass(frozen=True)
class SkippedPlan:
    variant: str
    profiler: str
    level: str
    reason: str


@dataclass(frozen=True)
class ProfilerPlan:
    """What the registry says of a profiler that this experiment names."""

    name: str
    title: str
    unit: str
    sees: str
    blind_to: str


@dataclass(frozen=True)
class AcceptPlan:
    """A change for the worse that the experiment accepts; `workload` is empty where under all."""

    metric: str
    variant: str
    reason: str
    until: str
    workload: str = ""
    over: bool = False
    """Whether its day had passed, or its revision was reached, when this was measured."""

    def is_of(self, metric: str, variant: str, workload: str) -> bool:
        return (self.metric, self.variant) == (metric, variant) and self.workload in ("", workload)


@dataclass(frozen=True)
class PlanFile:
    experiment: str
    title: str
    path: str = ""
    """Of the experiment file, relative to the repository."""
    notes: str = ""
    variants: tuple[VariantPlan, ...] = ()
    workloads: tuple[WorkloadPlan, ...] = ()
    contrasts: tuple[Contrast, ...] = ()
    primary: tuple[str, ...] = ()
    threshold: float = 0.05
    blocks: Blocks = 12
    verifying: tuple[Verifying, ...] = ()
    captures: tuple[Capture, ...] = ()
    skipped: tuple[SkippedPlan, ...] = ()
    profilers: tuple[ProfilerPlan, ...] = ()
    seed: int = 1
    night: str = ""
    """The night of its history that it was measured on; `seed` is that night's."""
    instrumentation: str = "combined"
    cost: bool = False
    network: str = "private"
    cpus: str = ""
    """`target on CPU 0, load on CPU 1`; empty: nobody is kept on some."""
    mounts: int = 1
    builds: tuple[str, ...] = ()
    """`<target>/<build>` of everything that was built, below results/builds."""
    accepted: tuple[AcceptPlan, ...] = ()
    commands: tuple[str, ...] = ()
    """What to type, at the root of a checkout, to make this report again."""

    @property
    def baseline(self) -> str:
        return self.variants[0].name

    @property
    def controls(self) -> frozenset[str]:
        return frozenset(v.name for v in self.variants if v.control)

    @property
    def verified(self) -> tuple[Verifying, ...]:
        """The verifying runs; of an older plan one of each variant that was written to, under all loads."""
        every = tuple(workload.name for workload in self.workloads)
        older = (Verifying(v.name, v.verify_spec, every) for v in self.variants if v.verify_spec)
        return self.verifying or tuple(older)

    @property
    def judged(self) -> tuple[str, ...]:
        """Loads that a verdict is given on, a curve as one."""
        return tuple(dict.fromkeys(workload.judged_as for workload in self.workloads))

    @property
    def curves(self) -> Mapping[str, tuple[WorkloadPlan, ...]]:
        """The points of each, in order."""
        found: dict[str, tuple[WorkloadPlan, ...]] = {}
        for workload in self.workloads:
            if workload.point:
                found[workload.judged_as] = (*found.get(workload.judged_as, ()), workload)
        return found

    @property
    def points(self) -> Mapping[str, tuple[str, ...]]:
        """The names of the points of each curve."""
        return {curve: tuple(point.name for point in points) for curve, points in self.curves.items()}

    def names(self) -> list[str]:
        return [variant.name for variant in self.variants]

    def verified_under(self, run: Verifying) -> tuple[str, ...]:
        """The loads that a verifying run is of; none where it is of all."""
        return run.only([workload.name for workload in self.workloads])


def read_plan(path: Path) -> PlanFile:
    return read_json(path, PlanFile)
