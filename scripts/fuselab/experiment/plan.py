"""From an experiment to everything that has to be made for it: builds, mounts, blocks, captures, comparisons.

Pure and quick: the Snakefile makes a plan each time it is parsed. Every spec is made here: the short hash of all that
decides a measurement, which stands in the path of what was measured.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import msgspec

from fuselab import profilers, workloads
from fuselab.building.request import BuildRequest
from fuselab.compare.schedule import LOOKS
from fuselab.experiment.fixed_work import FixedWork, fixed_work, for_variant
from fuselab.experiment.model import Experiment, Workload
from fuselab.profilers.base import Capability
from fuselab.records.contrast import Contrast
from fuselab.records.design import CostStep
from fuselab.records.plan import Capture, Verifying
from fuselab.records.request import RIG_VERSION, Load, MountConfig
from fuselab.records.slices import SLICES_VERSION
from fuselab.targets.model import CounterSources
from fuselab.workloads.verifying.base import DATA

NONE = "none"


@dataclass(frozen=True)
class Skipped:
    """A profiler that cannot look at a variant, or not under this workload."""

    variant: str
    profiler: str
    capability: Capability


@dataclass(frozen=True)
class Plan:
    """All that `experiment` needs. Mount configs and builds are found by (variant, profilers joined by `+`)."""

    experiment: Experiment
    mounts: Mapping[tuple[str, str], MountConfig]
    builds: Mapping[str, BuildRequest]
    """By folder, `<target>/<build>`: the programs of targets, and what loads run in their place (benches)."""
    captures: tuple[Capture, ...]
    skipped: tuple[Skipped, ...]
    cost_mounts: Mapping[str, MountConfig]
    """Runs of a cost block by name, all of the baseline; empty unless the experiment asks for costs."""
    cost_steps: tuple[CostStep, ...]
    known_failures: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By variant: what its target is known to fail when it is verified."""
    counters: Mapping[str, CounterSources] = field(default_factory=dict)
    """By variant: what its target and its service count themselves. In specs of work runs alone: no other reads it."""
    load_mounts: Mapping[tuple[str, str, str], MountConfig] = field(default_factory=dict)
    """By (variant, profilers, workload), where a load has variants mounted otherwise: a point of a sweep, one whose
    command is looked at, and one that runs a program of its own, such as a bench."""

    @cached_property
    def loads(self) -> dict[str, Load]:
        """By workload, as they are timed, without the seed of a block."""
        return {w.name: load(w.unobserved) for w in self.experiment.workloads}

    def own_loads(self, workload: str) -> dict[str, Load]:
        """By variant: the loads of those that change a setting of `workload`."""
        asked = self.experiment.workload(workload)
        own = {v.name: load(asked.for_variant(v).unobserved) for v in self.experiment.variants}
        return {name: made for name, made in own.items() if made != self.loads[workload]}

    def mount(self, variant: str, profiler: str, workload: str) -> MountConfig:
        """How `variant` is mounted under `workload`."""
        return self.load_mounts.get((variant, profiler, workload)) or self.mounts[variant, profiler]

    def captured_load(self, variant: str, workload: str) -> Load:
        """As profilers look at `variant` under it."""
        return load(self.experiment.workload(workload).for_variant(self.experiment.variant(variant)))

    @cached_property
    def jobs(self) -> dict[str, str]:
        """The text of each job file, by workload, or `workload.variant` for those that change a setting of it."""
        loads: dict[str, Load] = {}
        for name in self.loads:
            loads |= {f"{name}.{variant}": own for variant, own in self.own_loads(name).items()}
        loads |= self.loads
        rendered = {name: workloads.REGISTRY[made.kind].render(made.settings) for name, made in loads.items()}
        return {name: text for name, text in rendered.items() if text is not None}

    @cached_property
    def all_builds(self) -> tuple[str, ...]:
        """Folders of everything that is built for this experiment, below results/builds: what its loads run.

        An experiment that has benches alone mounts nothing, and its targets' own programs are not among them.
        """
        runs = {(v.name, NONE, workload) for v in self.experiment.variants for workload in self.loads}
        runs |= {(c.variant, c.profiler, c.workload) for c in self.captures}
        run = (*(self.mount(*each) for each in runs), *self.cost_mounts.values())
        return tuple(sorted({mount.build for mount in run if mount.build}))

    def builds_of(self, variant: str) -> dict[str, str]:
        """Folder of what `variant` runs, by who looks: of its mounts, or of its first load where it has none."""
        loads = self.experiment.workloads
        first = next((w for w in loads if w.behaviour.needs_mount), loads[0]).name
        found = {
            used: self.mount(variant, used, first).build for owner, used in self.mounts if owner == variant
        }
        return {used: build for used, build in found.items() if build in self.all_builds}

    def timed_spec(self, workload: str) -> str:
        """Spec of the blocks of `workload`: every variant's mount, the load, the seed, the rig."""
        names = [variant.name for variant in self.experiment.variants]
        mounts = [self.mount(name, NONE, workload) for name in names]
        spec = self._spec(mounts, workload, self.loads[workload], names)
        slice_s = self.experiment.workload(workload).slice_s
        return spec if slice_s is None else _short([spec, "slices", SLICES_VERSION, slice_s])

    def setting_of(self, variant: str) -> str:
        """Hash of how `variant` is mounted in timed runs, but for the program that is mounted."""
        config = self.mounts[variant, NONE]
        argv = tuple(word.replace(config.binary or "{binary}", "{binary}") for word in config.argv)
        return _short([RIG_VERSION, replace(config, build=None, binary="", argv=argv), self.experiment.state])

    def verify_spec(self, variant: str, mount: MountConfig | None = None) -> str:
        """Spec of the verifying run of `variant`, mounted as `mount`; without one as it is by itself.

        What its failure means is part of it.
        """
        experiment, mount = self.experiment, mount or self.mounts[variant, NONE]
        deciding = ["verify", RIG_VERSION, experiment.state, self.is_essential(variant, mount), mount]
        more = [name for name in experiment.verify if name != DATA]
        return _short([*deciding, experiment.verify, self.known_failures[variant]] if more else deciding)

    def is_essential(self, variant: str, mount: MountConfig) -> bool:
        """Whether nothing can be compared where `variant`, mounted as `mount`, does not keep its data: the baseline.

        Where a sweep mounts it otherwise, what fails is that point.
        """
        return variant == self.experiment.baseline.name and mount == self.mounts[variant, NONE]

    @cached_property
    def verifying(self) -> tuple[Verifying, ...]:
        """The verifying runs: of each variant that can be written, one for every way in which a load mounts it."""
        loads, found = self.experiment.workloads, []
        for variant in (v.name for v in self.experiment.variants if not self.mounts[v.name, NONE].read_only):
            under: dict[str, list[Workload]] = {}
            for workload in loads:
                spec = self.verify_spec(variant, self.mount(variant, NONE, workload.name))
                under.setdefault(spec, []).append(workload)
            found += [
                Verifying(variant, spec, tuple(workload.name for workload in together))
                for spec, together in under.items()
                if any(workload.behaviour.needs_mount for workload in together)
            ]
        return tuple(found)

    def capture_spec(self, variant: str, workload: str, profiler: str) -> str:
        asked = load(self.experiment.workload(workload))
        return self._spec([self.mount(variant, profiler, workload)], workload, asked, {variant})

    def cost_spec(self, workload: str) -> str:
        baseline = {self.experiment.baseline.name}
        return self._spec(list(self.cost_mounts.values()), workload, self.loads[workload], baseline)

    @cached_property
    def work(self) -> FixedWork:
        """What is counted of its loads."""
        mounts = {v.name: self.mounts[v.name, NONE] for v in self.experiment.variants}
        return fixed_work(self.experiment, mounts, self.counters)

    def work_load(self, workload: str) -> Load:
        """A load as it is counted, without a seed."""
        return load(self.work.workloads[workload])

    def own_work_loads(self, workload: str) -> dict[str, Load]:
        """By variant: the counted loads of those that change a setting of `workload`."""
        counted = self.work.workloads[workload]
        return {
            v.name: load(for_variant(self.experiment, counted, v))
            for v in self.experiment.variants
            if v.name in self.own_loads(workload)
        }

    def work_spec(self, workload: str) -> str:
        names = [v.name for v in self.experiment.variants]
        mounts = [self.mount(name, NONE, workload) for name in names]
        loads = [self.work_load(workload), self.own_work_loads(workload)]
        counted = [self.counters.get(name, CounterSources()) for name in names]
        return _short(
            ["work", RIG_VERSION, self.experiment.seed, self.experiment.state, mounts, *loads, counted]
        )

    @cached_property
    def specs(self) -> set[tuple[str, str, str, str]]:
        """Of everything that is measured: (variant, workload, profilers, spec), "" for what its path does not name."""
        specs = {(c.variant, c.workload, c.profiler, c.spec) for c in self.captures}
        specs |= {(run.variant, "", "", run.spec) for run in self.verifying}
        for workload in self.loads:
            specs.add(("", workload, "", self.timed_spec(workload)))
            if self.cost_mounts:
                specs.add(("", workload, "", self.cost_spec(workload)))
        specs |= {("", workload, "", self.work_spec(workload)) for workload in self.work.workloads}
        return specs

    def _spec(self, mounts: list[MountConfig], workload: str, asked: Load, variants: Collection[str]) -> str:
        e = self.experiment
        own = {name: made for name, made in self.own_loads(workload).items() if name in variants}
        deciding = [RIG_VERSION, e.seed, e.state, mounts, asked, self.jobs.get(workload)]
        return _short([*deciding, own] if own else deciding)

    @property
    def block_count(self) -> int:
        """How many blocks are wanted at the first look."""
        return LOOKS[0] if self.experiment.blocks == "auto" else self.experiment.blocks

    def processed(self) -> list[tuple[str, str, str]]:
        """(variant, workload, profiler) of every processed folder."""
        return [(c.variant, c.workload, profiler) for c in self.captures for profiler in c.profilers]

    def has_spans(self, variant: str, workload: str) -> bool:
        """Whether the ready-made queries, all of them over spans, can be asked."""
        return (variant, workload, self.spans_by(variant, workload)) in self.processed()

    def spans_by(self, variant: str, workload: str) -> str:
        """The profiler that records the spans of a cell; where none does, one that could."""
        names = profilers.giving("spans")
        return next((n for n in names if (variant, workload, n) in self.processed()), names[0])

    def has_account(self, variant: str, workload: str) -> bool:
        """Whether it can be told where the time of a cell is: by its spans, or by its requests."""
        looking = [c.profilers for c in self.captures if (c.variant, c.workload) == (variant, workload)]
        parts = [{name: profilers.REGISTRY[name].account for name in names} for names in looking]
        in_flight = (
            any(part.in_flight for part in each.values()) and any(part.blocked for part in each.values())
            for each in parts
        )
        return self.has_spans(variant, workload) or any(in_flight)

    def capture_of(self, variant: str, workload: str, profiler: str) -> Capture:
        return next(
            c
            for c in self.captures
            if (c.variant, c.workload) == (variant, workload) and profiler in c.profilers
        )

    def diffs(self) -> list[tuple[Contrast, str, str]]:
        """(contrast, workload, profiler) where both sides are captured."""
        made = set(self.processed())
        return [
            (contrast, workload, profiler)
            for contrast in self.experiment.contrasts
            for variant, workload, profiler in self.processed()
            if variant == contrast.variant and (contrast.baseline, workload, profiler) in made
        ]

    def build_of(self, variant: str, profiler: str, workload: str = "") -> BuildRequest | None:
        """What `variant` runs where `profiler` looks at it: under `workload`, if that matters."""
        folder = self.mount(variant, profiler, workload).build
        return None if folder is None else self.builds[folder]


def load(workload: Workload) -> Load:
    return Load(
        kind=workload.kind,
        workload=workload.name,
        settings=workload.settings,
        prepare=workload.prepare,
        cache=workload.cache,
        timeout_s=workload.timeout_s,
    )


def _short(value: object) -> str:
    return hashlib.sha256(msgspec.json.encode(value, order="sorted")).hexdigest()[:12]
