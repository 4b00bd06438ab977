"""plan.json: the experiment as resolved, in the plan's own order. `workflow.description` makes it.

Fields that an older file lacks take their defaults, so that a report can be made from results that were measured before
a field existed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fuselab.files import read_json
from fuselab.records.design import Blocks


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
    service: str = ""
    """The service that its mounts need, as services/<service>.yaml defines it."""
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


@dataclass(frozen=True)
class Contrast:
    """A pair of variants compared: `variant` against `baseline`."""

    baseline: str
    variant: str


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
    captures: tuple[Capture, ...] = ()
    skipped: tuple[SkippedPlan, ...] = ()
    profilers: tuple[ProfilerPlan, ...] = ()
    seed: int = 1
    night: str = ""
    """The night of its history that it was measured on; `seed` is that night's."""
    instrumentation: str = "combined"
    cost: bool = False
    network: str = "private"
    mounts: int = 1
    builds: tuple[str, ...] = ()
    """`<target>/<build>` of everything that was built, below results/builds."""
    commands: tuple[str, ...] = ()
    """What to type, at the root of a checkout, to make this report again."""

    @property
    def baseline(self) -> str:
        return self.variants[0].name

    @property
    def controls(self) -> frozenset[str]:
        return frozenset(v.name for v in self.variants if v.control)

    def names(self) -> list[str]:
        return [variant.name for variant in self.variants]


def read_plan(path: Path) -> PlanFile:
    return read_json(path, PlanFile)
