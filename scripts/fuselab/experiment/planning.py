"""Making a plan: which builds, mounts and captures an experiment needs, and what cannot look at what."""

from __future__ import annotations

from collections.abc import Mapping

from fuselab import profilers
from fuselab.building.request import BuildRequest, build_request
from fuselab.experiment.model import Experiment, Variant, Workload
from fuselab.experiment.mounting import mount_config
from fuselab.experiment.plan import NONE, Capture, CostStep, Plan, Skipped
from fuselab.records.request import MountConfig
from fuselab.targets.model import ProfilerSupport, Service, Target

PLAIN = "plain"
"""The run of a cost block in which nothing is compiled in."""


def make_plan(experiment: Experiment, targets: Mapping[str, Target], services: Mapping[str, Service]) -> Plan:
    """Resolve `experiment` against its targets and services (both by name, complete)."""
    mounts: dict[tuple[str, str], MountConfig] = {}
    builds: dict[str, BuildRequest] = {}
    captures: list[Capture] = []
    skipped: list[Skipped] = []
    for variant in experiment.variants:
        target = targets[variant.target]
        sets, out = _usable(experiment, target, variant)
        skipped += out
        looking = [_that_look_at(workload, names) for names in sets for workload in experiment.workloads]
        for names in dict.fromkeys([(), *looking]):
            supports = tuple(_support(target, name) for name in names)
            build = build_request(target, variant, _instrumentation(experiment, target, sets, supports))
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


def _costs(
    experiment: Experiment,
    targets: Mapping[str, Target],
    services: Mapping[str, Service],
    mounts: Mapping[tuple[str, str], MountConfig],
    builds: Mapping[str, BuildRequest],
) -> tuple[dict[str, MountConfig], tuple[CostStep, ...]]:
    """The baseline plain, with each instrumented build but nothing switched on, and with each set switched on."""
    baseline = experiment.baseline
    target = targets[baseline.target]
    plain = mounts[baseline.name, NONE]
    runs, steps = {PLAIN: plain}, []
    off: dict[str | None, str] = {plain.build: PLAIN}
    mounted = [w for w in experiment.workloads if w.behaviour.needs_mount]
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
    return tuple(name for name in names if workload.behaviour.looks_at in profilers.REGISTRY[name].looks_at)


def _support(target: Target, name: str) -> ProfilerSupport:
    return target.profilers.get(name, ProfilerSupport(name))


def _instrumentation(
    experiment: Experiment, target: Target, sets: list[tuple[str, ...]], supports: tuple[ProfilerSupport, ...]
) -> tuple[ProfilerSupport, ...]:
    """Whose features the build needs. `combined` shares one instrumented build among those that need any."""
    if experiment.instrumentation == "separate" or not any(s.features or s.rustflags for s in supports):
        return supports
    return tuple(_support(target, name) for names in sets for name in names)
