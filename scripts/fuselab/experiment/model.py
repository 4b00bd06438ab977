"""What an experiment is: the frozen result of reading one YAML file.

`loading` makes these; everything behind it trusts them. Values are plain, ordered and hashable, so that a
plan made from them can be compared and hashed. Sizes are bytes, times seconds, shares fractions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from fuselab import workloads
from fuselab.building.source import WORKTREE
from fuselab.records.cpus import Cpus
from fuselab.targets.model import Link
from fuselab.workloads.base import Looked, Settings, WorkloadKind
from fuselab.workloads.verifying.base import DATA

if TYPE_CHECKING:
    from fuselab.queries.query import Query
    from fuselab.records.contrast import Contrast
    from fuselab.records.design import Blocks
    from fuselab.records.point import Point

Instrumentation = Literal["combined", "separate"]
CacheState = Literal["cold", "warm"]
Network = Literal["private", "host"]


@dataclass(frozen=True)
class Variant:
    """One point to compare: target, build, backend, mount options and environment."""

    name: str
    target: str
    backend: str
    rev: str = WORKTREE
    """`worktree`, or the full commit hash that the written revision named when the file was read."""
    follows: str = ""
    """The branch that was written as the revision, if it was one: another commit tomorrow, whatever it is today."""
    features: tuple[str, ...] = ()
    rustflags: tuple[str, ...] = ()
    profile: str | None = None
    options: tuple[tuple[str, str], ...] = ()
    """Mount options by the names that the target declares, in the order written."""
    env: tuple[tuple[str, str], ...] = ()
    network: tuple[tuple[str, Link], ...] = ()
    """The ways to services of its backend that are some way off, by what each is to it."""
    fio: tuple[tuple[str, str], ...] = ()
    """Options laid over those of every fio job."""
    control: bool = False
    """An A/A control: identical to the baseline on purpose."""

    @property
    def own(self) -> Mapping[str, Mapping[str, str]]:
        """By kind of load: what it changes of loads of that kind."""
        return {"fio": dict(self.fio)} if self.fio else {}


@dataclass(frozen=True)
class Workload:
    """One load. `settings` is the kind's own, already validated, as plain data."""

    name: str
    kind: str
    """Key of `fuselab.workloads.REGISTRY`."""
    settings: Settings
    prepare: tuple[tuple[str, ...], ...] = ()
    """Argument lists run inside the mount before the load, never measured."""
    cache: CacheState = "cold"
    timeout_s: float = 600.0
    point: Point | None = None
    """What it is a point of, if it was written with a `sweep`."""
    slice_s: float | None = None
    """How long each turn is, if it takes turns with those of other variants."""

    @property
    def captured(self) -> bool:
        """Whether profilers look at it, as far as it has something to look at."""
        return self.point is None or self.point.captured

    @property
    def remounts(self) -> bool:
        """Whether variants are mounted otherwise under it."""
        return self.point is not None and self.point.remounts

    @property
    def costed(self) -> bool:
        """Whether what profiling costs can be measured under it: the mounts of that are the baseline's own."""
        mounted = self.behaviour.needs_mount and self.looks_at == "mount"
        return mounted and self.captured and not self.remounts

    @property
    def behaviour(self) -> WorkloadKind:
        return workloads.REGISTRY[self.kind]

    @property
    def looks_at(self) -> Looked:
        """What profilers look at under it."""
        return self.behaviour.looked_at(self.settings)

    @property
    def program(self) -> str:
        """The first word of a load that is a command line."""
        return next(iter(self.behaviour.called(self.settings)), "")

    @property
    def unobserved(self) -> Workload:
        """As it is timed."""
        return replace(self, settings=self.behaviour.unobserved(self.settings))

    def mounts(self, otherwise: int) -> int:
        """How many mounts a run has under this load; `otherwise` where it does not say."""
        return (self.point and self.point.mounts) or otherwise

    def mounting(self, variant: Variant) -> Variant:
        """`variant` as it is mounted under this load."""
        if self.point is None:
            return variant
        options, env = (
            {**dict(own), **more}
            for own, more in ((variant.options, self.point.options), (variant.env, self.point.env))
        )
        return replace(variant, options=tuple(options.items()), env=tuple(env.items()))

    def for_variant(self, variant: Variant) -> Workload:
        """This load as `variant` gets it: with what the variant changes of loads of its kind."""
        own = variant.own.get(self.kind)
        if not own:
            return self
        return replace(self, settings=self.behaviour.overlaid(self.settings, own))


@dataclass(frozen=True)
class Compare:
    """What is judged, decided before the first run."""

    primary: tuple[str, ...]
    threshold: float = 0.05


@dataclass(frozen=True)
class GuardRule:
    """How much worse `metric` may get at most, as a fraction. Of no `variants` or `workloads`: of all."""

    metric: str
    limit: float
    variants: tuple[str, ...] = ()
    workloads: tuple[str, ...] = ()


@dataclass(frozen=True)
class Accept:
    """A change for the worse that is known; `workload` is empty where it holds under all."""

    metric: str
    variant: str
    reason: str
    until: str
    """The last day, `YYYY-MM-DD`, or a revision."""
    workload: str = ""
    reached: bool = False
    """Whether the variant's commit has the revision."""


@dataclass(frozen=True)
class Experiment:
    """One experiment, complete: defaults filled in, names checked against targets and profilers."""

    name: str
    path: Path
    title: str
    variants: tuple[Variant, ...]
    """The first is the baseline."""
    workloads: tuple[Workload, ...]
    contrasts: tuple[Contrast, ...]
    compare: Compare
    blocks: Blocks = 12
    budget_s: float | None = None
    """How long the loads of one workload may run in all, where `blocks` follows from that."""
    captures: int = 1
    profilers: tuple[tuple[str, ...], ...] = ()
    """Profilers that stand in one inner tuple share one capture."""
    queries: tuple[Query, ...] = ()
    seed: int = 1
    night: str = ""
    """The night it is measured on, `YYYY-MM-DD`, if for its history: `seed` is then that night's own."""
    instrumentation: Instrumentation = "combined"
    cost: bool = False
    work: bool | None = None
    """Whether runs of fixed work are counted; None: where that is short, and of long sweeps their ends."""
    network: Network = "private"
    verify: tuple[str, ...] = (DATA,)
    """Keys of `fuselab.workloads.VERIFIERS`: how each variant is verified."""
    mounts: int = 1
    """How many mounts of the same backend one run has."""
    state: str | None = None
    """Folder for the state of runs; None is `results/state`."""
    cpus: Cpus = field(default_factory=Cpus)
    notes: str = field(default="")
    guard: tuple[GuardRule, ...] = ()
    accept: tuple[Accept, ...] = ()
    notify: tuple[str, ...] = ()
    """A command that gets the summary on standard input."""

    @property
    def baseline(self) -> Variant:
        return self.variants[0]

    def variant(self, name: str) -> Variant:
        return next(v for v in self.variants if v.name == name)

    def workload(self, name: str) -> Workload:
        return next(w for w in self.workloads if w.name == name)
