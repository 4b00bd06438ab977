"""From an experiment to everything that has to be made for it: builds, mounts, blocks, captures, comparisons.

Pure and quick: the Snakefile makes a plan each time it is parsed. Every path of `results/` is named here, and
every spec: the short hash of all that decides a measurement, which stands in the path of what was measured.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import msgspec

from fuselab import profilers, workloads
from fuselab.compare.schedule import LOOKS
from fuselab.experiment.model import Contrast, Experiment, Variant, Workload
from fuselab.profilers.base import Capability
from fuselab.rig.request import RIG_VERSION, CommandLine, Load, MountConfig
from fuselab.target.model import ProfilerSupport, Service, Target, fill, fill_argv
from fuselab.target.spec import BuildSpec, build_spec

NONE = "none"


@dataclass(frozen=True)
class Capture:
    """Captures of one variant under one workload with one set of profilers: one spec, `repeats` runs."""

    variant: str
    workload: str
    profilers: tuple[str, ...]
    spec: str
    repeats: int

    @property
    def profiler(self) -> str:
        return "+".join(self.profilers)


@dataclass(frozen=True)
class CostStep:
    """One contrast of what profiling costs: `after` against `before`, both names of runs in a cost block."""

    profiler: str
    step: Literal["compiled in", "switched on"]
    before: str
    after: str


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
    builds: Mapping[str, BuildSpec]
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

    def timed_spec(self, workload: str) -> str:
        """Spec of the blocks of `workload`: every variant's mount, the load, the seed, the rig."""
        mounts = [self.mounts[variant.name, NONE] for variant in self.experiment.variants]
        return self._spec(mounts, workload, self.own_loads(workload))

    def verify_spec(self, variant: str) -> str:
        """Spec of the verifying run of `variant`. Whether it is the baseline decides what its failure means."""
        experiment = self.experiment
        essential = variant == experiment.baseline.name
        return _short(["verify", RIG_VERSION, experiment.state, essential, self.mounts[variant, NONE]])

    def capture_spec(self, variant: str, workload: str, profiler: str) -> str:
        own = {name: made for name, made in self.own_loads(workload).items() if name == variant}
        return self._spec([self.mounts[variant, profiler]], workload, own)

    def cost_spec(self, workload: str) -> str:
        own = {n: made for n, made in self.own_loads(workload).items() if n == self.experiment.baseline.name}
        return self._spec(list(self.cost_mounts.values()), workload, own)

    def _spec(self, mounts: list[MountConfig], workload: str, own: Mapping[str, Load]) -> str:
        e = self.experiment
        deciding = [RIG_VERSION, e.seed, e.state, mounts, self.loads[workload], self.jobs.get(workload)]
        return _short([*deciding, own] if own else deciding)

    def blocks(self, count: int) -> list[str]:
        return [f"{number:03d}" for number in range(1, count + 1)]

    @property
    def block_count(self) -> int:
        """How many blocks are wanted at the first look."""
        return LOOKS[0] if self.experiment.blocks == "auto" else self.experiment.blocks

    @property
    def verified(self) -> tuple[str, ...]:
        """Variants with a verifying run: those that can be written, if there is a load in a mount at all."""
        if not any(workloads.REGISTRY[w.kind].needs_mount for w in self.experiment.workloads):
            return ()
        return tuple(v.name for v in self.experiment.variants if not self.mounts[v.name, NONE].read_only)

    def processed(self) -> list[tuple[str, str, str]]:
        """(variant, workload, profiler) of every processed folder."""
        return [(c.variant, c.workload, profiler) for c in self.captures for profiler in c.profilers]

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

    def build_of(self, variant: str, profiler: str) -> BuildSpec | None:
        folder = self.mounts[variant, profiler].build
        return None if folder is None else self.builds[folder]


def make_plan(experiment: Experiment, targets: Mapping[str, Target], services: Mapping[str, Service]) -> Plan:
    """Resolve `experiment` against its targets and services (both by name, complete)."""
    mounts: dict[tuple[str, str], MountConfig] = {}
    builds: dict[str, BuildSpec] = {}
    captures: list[Capture] = []
    skipped: list[Skipped] = []
    for variant in experiment.variants:
        target = targets[variant.target]
        sets, out = _usable(experiment, target, variant)
        skipped += out
        looking = [_that_look_at(workload, names) for names in sets for workload in experiment.workloads]
        for names in dict.fromkeys([(), *looking]):
            supports = tuple(_support(target, name) for name in names)
            build = build_spec(target, variant, _instrumentation(experiment, target, sets, supports))
            config = mount_config(experiment, variant, target, services, supports, build)
            mounts[variant.name, config.profiler] = config
            if build is not None:
                builds[build.folder] = build
    plan = Plan(experiment, mounts, builds, (), (), {}, ())
    for variant in experiment.variants:
        for names in _usable(experiment, targets[variant.target], variant)[0]:
            for workload in experiment.workloads:
                if looking_on := _that_look_at(workload, names):
                    spec = plan.capture_spec(variant.name, workload.name, "+".join(looking_on))
                    captures.append(
                        Capture(variant.name, workload.name, looking_on, spec, experiment.captures)
                    )
    costs = _costs(experiment, targets, services, mounts, builds) if experiment.cost else ({}, ())
    return Plan(experiment, mounts, builds, tuple(captures), tuple(skipped), *costs)


PLAIN = "plain"


def _costs(
    experiment: Experiment,
    targets: Mapping[str, Target],
    services: Mapping[str, Service],
    mounts: Mapping[tuple[str, str], MountConfig],
    builds: Mapping[str, BuildSpec],
) -> tuple[dict[str, MountConfig], tuple[CostStep, ...]]:
    """The baseline plain, with each instrumented build but nothing switched on, and with each set switched on."""
    baseline = experiment.baseline
    target = targets[baseline.target]
    plain = mounts[baseline.name, NONE]
    runs, steps = {PLAIN: plain}, []
    off: dict[str | None, str] = {plain.build: PLAIN}
    mounted = [w for w in experiment.workloads if workloads.REGISTRY[w.kind].needs_mount]
    sets = _usable(experiment, target, baseline)[0]
    looking = dict.fromkeys(_that_look_at(workload, names) for names in sets for workload in mounted)
    for profiler in ("+".join(names) for names in looking if names):
        on = mounts[baseline.name, profiler]
        if on.build not in off:
            assert on.build is not None  # targets without a program have one build: none
            name = f"{profiler}.off"
            runs[name] = mount_config(experiment, baseline, target, services, (), builds[on.build])
            off[on.build] = name
        if off[on.build] != PLAIN:
            steps.append(CostStep(profiler, "compiled in", PLAIN, off[on.build]))
        runs[f"{profiler}.on"] = on
        steps.append(CostStep(profiler, "switched on", off[on.build], f"{profiler}.on"))
    return runs, tuple(steps)


def _usable(
    experiment: Experiment, target: Target, variant: Variant
) -> tuple[list[tuple[str, ...]], list[Skipped]]:
    """The sets of profilers that can look at `target`, and those left out with the reason."""
    sets, skipped = [], []
    for names in experiment.profilers:
        usable = []
        for name in names:
            capability = profilers.REGISTRY[name].capability(target)
            if capability.level == "unavailable":
                skipped.append(Skipped(variant.name, name, capability))
            else:
                usable.append(name)
        if usable:
            sets.append(tuple(usable))
    return sets, skipped


def _that_look_at(workload: Workload, names: tuple[str, ...]) -> tuple[str, ...]:
    """Those of a set that have something to look at under this kind of load: a bench has no mount to trace."""
    return tuple(name for name in names if workload.kind in profilers.REGISTRY[name].workload_kinds)


def _support(target: Target, name: str) -> ProfilerSupport:
    return target.profilers.get(name, ProfilerSupport(name))


def _instrumentation(
    experiment: Experiment, target: Target, sets: list[tuple[str, ...]], supports: tuple[ProfilerSupport, ...]
) -> tuple[ProfilerSupport, ...]:
    """Whose features the build needs. `combined` shares one instrumented build among those that need any."""
    if experiment.instrumentation == "separate" or not any(s.features or s.rustflags for s in supports):
        return supports
    return tuple(_support(target, name) for names in sets for name in names)


def mount_config(
    experiment: Experiment,
    variant: Variant,
    target: Target,
    services: Mapping[str, Service],
    supports: tuple[ProfilerSupport, ...],
    build: BuildSpec | None,
) -> MountConfig:
    """How `variant` is mounted with `supports` looking: program, arguments and environment resolved."""
    backend = target.backends[variant.backend]
    binary = "" if build is None else build.path()
    parts = _parts(target, variant, supports)
    first = _command_line(target, variant, supports, binary)
    return MountConfig(
        variant=variant.name,
        target=target.name,
        build=None if build is None else build.folder,
        binary=binary,
        argv=first.argv,
        env=first.env,
        files=target.mount.files,
        prepare=tuple(fill_argv(argv, {"binary": binary}, parts) for argv in target.mount.prepare),
        ready_timeout_s=target.mount.ready_timeout_s,
        stop=target.stop,
        backend=backend.name,
        persists=backend.persists,
        service=services[backend.service] if backend.service else None,
        profilers=supports,
        network=experiment.network,
        read_only=target.mount.read_only,
        mounts=experiment.mounts,
        others=_command_line(target, variant, (), binary) if experiment.mounts > 1 else None,
    )


def _command_line(
    target: Target, variant: Variant, supports: tuple[ProfilerSupport, ...], binary: str
) -> CommandLine:
    """Program, arguments and environment of a mount that `supports` look at."""
    env = dict(target.mount.env) | dict(target.backends[variant.backend].env)
    for name, value in variant.options:
        env |= {key: fill(text, {"value": value}) for key, text in target.options[name].env}
    for support in supports:
        env |= {**profilers.REGISTRY[support.name].environment(support), **dict(support.env)}
    env |= _log_filter(target, supports) | dict(variant.env)
    argv = fill_argv(target.mount.argv, {"binary": binary}, _parts(target, variant, supports))
    return CommandLine(argv, tuple(sorted(env.items())))


def _parts(
    target: Target, variant: Variant, supports: tuple[ProfilerSupport, ...]
) -> dict[str, tuple[str, ...]]:
    """What `{backend}`, `{options}` and `{profiler}` stand for."""
    return {
        "backend": target.backends[variant.backend].argv,
        "options": tuple(
            fill(word, {"value": value})
            for name, value in variant.options
            for word in target.options[name].argv
        ),
        "profiler": tuple(word for support in supports for word in support.argv),
    }


def _log_filter(target: Target, supports: tuple[ProfilerSupport, ...]) -> dict[str, str]:
    """Profilers that share a capture share one log filter: every directive, once."""
    filters = [s.log_filter for s in supports if s.log_filter] or (
        [target.log_filter] if target.log_filter else []
    )
    joined: dict[str, list[str]] = {}
    for name, value in filters:
        words = joined.setdefault(name, [])
        words += [word for word in value.split(",") if word not in words]
    return {name: ",".join(words) for name, words in joined.items()}


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
