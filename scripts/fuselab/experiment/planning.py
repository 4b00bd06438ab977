"""Making a plan: which builds, mounts and captures an experiment needs, and what cannot look at what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from fuselab import profilers
from fuselab.building.request import BuildRequest, build_request
from fuselab.experiment.loading import Loaded
from fuselab.experiment.looking import capability, looking_at_targets, that_can_look, that_look_at
from fuselab.experiment.model import Experiment, Variant
from fuselab.experiment.mounting import looking_beside, mount_config
from fuselab.experiment.plan import NONE, Plan, Skipped
from fuselab.profilers.base import Capability
from fuselab.records.design import CostStep
from fuselab.records.plan import Capture
from fuselab.records.request import MountConfig
from fuselab.targets.model import CounterSources, ProfilerSupport, Target

PLAIN = "plain"
"""The run of a cost block in which nothing is compiled in."""


def make_plan(loaded: Loaded) -> Plan:
    """Resolve an experiment against its targets and services."""
    experiment = loaded.experiment
    mounts: dict[tuple[str, str], MountConfig] = {}
    of_loads: dict[tuple[str, str, str], MountConfig] = {}
    builds: dict[str, BuildRequest] = {}
    looking: list[tuple[str, str, tuple[str, ...]]] = []
    skipped: list[Skipped] = []
    for variant in experiment.variants:
        target = loaded.targets[variant.target]
        pairs = [
            (workload, that_can_look(workload, names, target))
            for names in experiment.profilers
            for workload in experiment.workloads
        ]
        looking += [(variant.name, workload.name, names) for workload, names in pairs if names]
        skipped += _skipped(experiment, target, variant)
        sets = _usable(experiment, target)
        mounted = [names for workload, names in pairs if workload.looks_at != "command"]
        for names in dict.fromkeys([(), *mounted]):
            supports = tuple(_support(target, name) for name in names)
            build = build_request(target, variant, _instrumentation(experiment, target, sets, supports))
            config = mount_config(experiment, variant, target, loaded.services, supports, build)
            mounts[variant.name, config.profiler] = config
            if build is not None:
                builds[build.folder] = build
            for workload in experiment.workloads:
                own = build and workload.behaviour.build(workload.settings, build)
                if own is None and not workload.remounts:
                    continue
                here, count = workload.mounting(variant), workload.mounts(experiment.mounts)
                run = mount_config(
                    replace(experiment, mounts=count), here, target, loaded.services, supports, build
                )
                if own is not None:
                    builds[own.folder] = own
                    run = replace(run, build=own.folder, binary=own.path())
                of_loads[variant.name, config.profiler, workload.name] = run
        for workload, names in pairs:
            if names and workload.looks_at == "command":
                timed = of_loads.get((variant.name, NONE, workload.name)) or mounts[variant.name, NONE]
                config = looking_beside(timed, names)
                of_loads[variant.name, config.profiler, workload.name] = config
    costs = _costs(loaded, mounts, builds) if experiment.cost else ({}, ())
    counters = {variant.name: _counters(loaded, variant) for variant in experiment.variants}
    known = {v.name: loaded.targets[v.target].known_failures for v in experiment.variants}
    plan = Plan(
        experiment,
        mounts,
        builds,
        (),
        tuple(skipped),
        *costs,
        known_failures=known,
        counters=counters,
        load_mounts=of_loads,
    )
    captures = (
        Capture(v, w, names, plan.capture_spec(v, w, "+".join(names)), experiment.captures)
        for v, w, names in looking
    )
    return replace(plan, captures=tuple(captures))


def _counters(loaded: Loaded, variant: Variant) -> CounterSources:
    target = loaded.targets[variant.target]
    backend = target.backends[variant.backend]
    services = tuple((role, loaded.counters.get(name, ())) for role, name in backend.services)
    return CounterSources((*target.counters, *backend.counters), services)


def _costs(
    loaded: Loaded, mounts: Mapping[tuple[str, str], MountConfig], builds: Mapping[str, BuildRequest]
) -> tuple[dict[str, MountConfig], tuple[CostStep, ...]]:
    """The baseline plain, with each instrumented build but nothing switched on, and with each set switched on."""
    experiment, baseline = loaded.experiment, loaded.experiment.baseline
    mounted = [w for w in experiment.workloads if w.costed]
    if not mounted:
        return {}, ()
    target = loaded.targets[baseline.target]
    plain = mounts[baseline.name, NONE]
    runs, steps = {PLAIN: plain}, []
    off: dict[str | None, str] = {plain.build: PLAIN}
    looking = dict.fromkeys(
        that_can_look(w, names, target) for names in experiment.profilers for w in mounted
    )
    for profiler in ("+".join(names) for names in looking if names):
        on = mounts[baseline.name, profiler]
        if on.build not in off:
            assert on.build is not None  # targets without a program have one build: none
            off[on.build] = f"{profiler}.off"
            runs[off[on.build]] = mount_config(
                experiment, baseline, target, loaded.services, (), builds[on.build]
            )
        if off[on.build] != PLAIN:
            steps.append(CostStep(profiler, "compiled in", PLAIN, off[on.build]))
        runs[f"{profiler}.on"] = on
        steps.append(CostStep(profiler, "switched on", off[on.build], f"{profiler}.on"))
    return runs, tuple(steps)


def _usable(experiment: Experiment, target: Target) -> list[tuple[str, ...]]:
    """The sets of profilers, without those that cannot look at `target`."""
    able = {
        name
        for names in experiment.profilers
        for name in names
        if profilers.REGISTRY[name].capability(target).level != "unavailable"
    }
    sets = (tuple(name for name in names if name in able) for names in experiment.profilers)
    return [names for names in sets if names]


def _skipped(experiment: Experiment, target: Target, variant: Variant) -> list[Skipped]:
    """Those that cannot look, with the reason: at the target, or at a command that they would look at."""
    found: dict[tuple[str, Capability], None] = {}
    for name in dict.fromkeys(name for names in experiment.profilers for name in names):
        profiler = profilers.REGISTRY[name]
        if looking_at_targets(experiment.workloads):
            found[name, profiler.capability(target)] = None
        commands = (w for w in experiment.workloads if w.looks_at == "command" and that_look_at(w, [name]))
        found |= {(name, capability(name, workload, target)): None for workload in commands}
    return [Skipped(variant.name, *each) for each in found if each[1].level == "unavailable"]


def _support(target: Target, name: str) -> ProfilerSupport:
    return target.profilers.get(name, ProfilerSupport(name))


def _instrumentation(
    experiment: Experiment, target: Target, sets: list[tuple[str, ...]], supports: tuple[ProfilerSupport, ...]
) -> tuple[ProfilerSupport, ...]:
    """Whose features the build needs. `combined` shares one instrumented build among those that need any."""
    if experiment.instrumentation == "separate" or not any(s.features or s.rustflags for s in supports):
        return supports
    return tuple(_support(target, name) for names in sets for name in names)
