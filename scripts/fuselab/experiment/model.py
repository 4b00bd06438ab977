"""What an experiment is: the frozen result of reading one YAML file.

`loading` makes these; everything behind it trusts them. Values are plain, ordered and hashable, so that a
plan made from them can be compared and hashed. Sizes are bytes, times seconds, shares fractions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from fuselab import workloads
from fuselab.building.source import WORKTREE
from fuselab.queries.catalogue import Query
from fuselab.records.design import Blocks
from fuselab.records.plan import Contrast
from fuselab.workloads.base import Settings, WorkloadKind

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

    @property
    def behaviour(self) -> WorkloadKind:
        return workloads.REGISTRY[self.kind]

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
    captures: int = 1
    profilers: tuple[tuple[str, ...], ...] = ()
    """Profilers that stand in one inner tuple share one capture."""
    queries: tuple[Query, ...] = ()
    seed: int = 1
    night: str = ""
    """The night it is measured on, `YYYY-MM-DD`, if for its history: `seed` is then that night's own."""
    instrumentation: Instrumentation = "combined"
    cost: bool = False
    network: Network = "private"
    mounts: int = 1
    """How many mounts of the same backend one run has."""
    state: str | None = None
    """Folder for the state of runs; None is `results/state`."""
    notes: str = field(default="")

    @property
    def baseline(self) -> Variant:
        return self.variants[0]

    def variant(self, name: str) -> Variant:
        return next(v for v in self.variants if v.name == name)

    def workload(self, name: str) -> Workload:
        return next(w for w in self.workloads if w.name == name)
