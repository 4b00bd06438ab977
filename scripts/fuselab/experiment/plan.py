"""From an experiment to everything that has to be made for it: builds, mounts, blocks, captures, comparisons.

Pure and quick: the Snakefile makes a plan each time it is parsed. Every spec is made here: the short hash of all that
decides a measurement, which stands in the path of what was measured.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import msgspec

from fuselab import profilers, workloads
from fuselab.building.request import BuildRequest
from fuselab.compare.schedule import LOOKS
from fuselab.experiment.model import Experiment, Workload
from fuselab.profilers.base import Capability
from fuselab.records.design import CostStep
from fuselab.records.plan import Capture, Contrast
from fuselab.records.request import RIG_VERSION, Load, MountConfig

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
    """By folder: `<target>/<build>`."""
    captures: tuple[Capture, ...]
    skipped: tuple[Skipped, ...]
    cost_mounts: Mapping[str, MountConfig]
    """Runs of a cost block by name, all of the baseline; empty unless the experiment asks for costs."""
    cost_steps: tuple[CostStep, ...]

    @cached_property
    def loads(self) -> dict[str, Load]:
        """By workload, without the seed of a block."""
        return {w.name: load(w) for w in self.experiment.workloads}

    def own_loads(self, workload: str) -> dict[str, Load]:
        """By variant: the loads of those that change a setting of `workload`."""
        asked = self.experiment.workload(workload)
        own = {v.name: load(asked.for_variant(v)) for v in self.experiment.variants}
        return {name: made for name, made in own.items() if made != self.loads[workload]}

    def load_of(self, variant: str, workload: str) -> Load:
        return self.own_loads(workload).get(variant, self.loads[workload])

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
    def bench_builds(self) -> dict[str, BuildRequest]:
        """By folder: what is built for loads, with everything else as in the program's own build: benches."""
        builds = {}
        for workload in self.experiment.workloads:
            runs = {(variant.name, NONE) for variant in self.experiment.variants}
            runs |= {(c.variant, c.profiler) for c in self.captures if c.workload == workload.name}
            for variant, looking in sorted(runs):
                program = self.build_of(variant, looking)
                if program and (own := workload.behaviour.build(workload.settings, program)):
                    builds[own.folder] = own
        return builds

    @property
    def all_builds(self) -> list[str]:
        """Folders of everything that is built for this experiment, below results/builds."""
        mounted = {m.build for m in (*self.mounts.values(), *self.cost_mounts.values()) if m.build}
        return sorted(mounted | self.bench_builds.keys())

    def timed_spec(self, workload: str) -> str:
        """Spec of the blocks of `workload`: every variant's mount, the load, the seed, the rig."""
        names = [variant.name for variant in self.experiment.variants]
        return self._spec([self.mounts[name, NONE] for name in names], workload, names)

    def setting_of(self, variant: str) -> str:
        """Hash of how `variant` is mounted in timed runs, but for the program that is mounted."""
        config = self.mounts[variant, NONE]
        argv = tuple(word.replace(config.binary or "{binary}", "{binary}") for word in config.argv)
        return _short([RIG_VERSION, replace(config, build=None, binary="", argv=argv), self.experiment.state])

    def verify_spec(self, variant: str) -> str:
        """Spec of the verifying run of `variant`. Whether it is the baseline decides what its failure means."""
        experiment = self.experiment
        essential = variant == experiment.baseline.name
        return _short(["verify", RIG_VERSION, experiment.state, essential, self.mounts[variant, NONE]])

    def capture_spec(self, variant: str, workload: str, profiler: str) -> str:
        return self._spec([self.mounts[variant, profiler]], workload, {variant})

    def cost_spec(self, workload: str) -> str:
        return self._spec(list(self.cost_mounts.values()), workload, {self.experiment.baseline.name})

    @cached_property
    def specs(self) -> set[tuple[str, str, str, str]]:
        """Of everything that is measured: (variant, workload, profilers, spec), "" for what its path does not name."""
        specs = {(c.variant, c.workload, c.profiler, c.spec) for c in self.captures}
        specs |= {(v.name, "", "", self.verify_spec(v.name)) for v in self.experiment.variants}
        for workload in self.loads:
            specs.add(("", workload, "", self.timed_spec(workload)))
            if self.cost_mounts:
                specs.add(("", workload, "", self.cost_spec(workload)))
        return specs

    def _spec(self, mounts: list[MountConfig], workload: str, variants: Collection[str]) -> str:
        e = self.experiment
        own = {name: made for name, made in self.own_loads(workload).items() if name in variants}
        deciding = [RIG_VERSION, e.seed, e.state, mounts, self.loads[workload], self.jobs.get(workload)]
        return _short([*deciding, own] if own else deciding)

    @property
    def block_count(self) -> int:
        """How many blocks are wanted at the first look."""
        return LOOKS[0] if self.experiment.blocks == "auto" else self.experiment.blocks

    @property
    def verified(self) -> tuple[str, ...]:
        """Variants with a verifying run: those that can be written, if there is a load in a mount at all."""
        if not any(w.behaviour.needs_mount for w in self.experiment.workloads):
            return ()
        return tuple(v.name for v in self.experiment.variants if not self.mounts[v.name, NONE].read_only)

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

    def build_of(self, variant: str, profiler: str) -> BuildRequest | None:
        folder = self.mounts[variant, profiler].build
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
