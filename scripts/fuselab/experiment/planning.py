"""Making a plan: which builds, mounts and captures an experiment needs, and what cannot look at what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from fuselab import profilers
from fuselab.building.request import BuildRequest, build_request
from fuselab.experiment.loading import Loaded
from fuselab.experiment.model import Experiment, Variant, Workload
from fuselab.experiment.mounting import mount_config
from fuselab.experiment.plan import NONE, Plan, Skipped
from fuselab.records.design import CostStep
from fuselab.records.plan import Capture
from fuselab.records.request import MountConfig
from fuselab.targets.model import ProfilerSupport, Target

PLAIN = "plain"
"""The run of a cost block in which nothing is compiled in."""


def make_plan(loaded: Loaded) -> Plan:
    """Resolve an experiment against its targets and services."""
    experiment = loaded.experiment
    mounts: dict[tuple[str, str], MountConfig] = {}
    builds: dict[str, BuildRequest] = {}
    looking: list[tuple[str, str, tuple[str, ...]]] = []
    skipped: list[Skipped] = []
    for variant in experiment.variants:
        target = loaded.targets[variant.target]
        sets, without = _usable(experiment, target, variant)
        skipped += without
        pairs = [(w.name, _that_look_at(w, names)) for names in sets for w in experiment.workloads]
        looking += [(variant.name, workload, names) for workload, names in pairs if names]
        for names in dict.fromkeys([(), *(names for _, names in pairs)]):
            supports = tuple(_support(target, name) for name in names)
            build = build_request(target, variant, _instrumentation(experiment, target, sets, supports))
            config = mount_config(experiment, variant, target, loaded.services, supports, build)
            mounts[variant.name, config.profiler] = config
            if build is not None:
                builds[build.folder] = build
    costs = _costs(loaded, mounts, builds) if experiment.cost else ({}, ())
    plan = Plan(experiment, mounts, builds, (), tuple(skipped), *costs)
    captures = (
        Capture(v, w, names, plan.capture_spec(v, w, "+".join(names)), experiment.captures)
        for v, w, names in looking
    )
    return replace(plan, captures=tuple(captures))


def _costs(
    loaded: Loaded, mounts: Mapping[tuple[str, str], MountConfig], builds: Mapping[str, BuildRequest]
) -> tuple[dict[str, MountConfig], tuple[CostStep, ...]]:
    """The baseline plain, with each instrumented build but nothing switched on, and with each set switched on."""
    experiment, baseline = loaded.experiment, loaded.experiment.baseline
    target = loaded.targets[baseline.target]
    plain = mounts[baseline.name, NONE]
    runs, steps = {PLAIN: plain}, []
    off: dict[str | None, str] = {plain.build: PLAIN}
    mounted = [w for w in experiment.workloads if w.behaviour.needs_mount]
    sets, _ = _usable(experiment, target, baseline)
    looking = dict.fromkeys(_that_look_at(workload, names) for names in sets for workload in mounted)
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


def _usable(
    experiment: Experiment, target: Target, variant: Variant
) -> tuple[list[tuple[str, ...]], list[Skipped]]:
    """The sets of profilers that can look at `target`, and those left out with the reason."""
    named = dict.fromkeys(name for names in experiment.profilers for name in names)
    levels = {name: profilers.REGISTRY[name].capability(target) for name in named}
    without = [Skipped(variant.name, n, level) for n, level in levels.items() if level.level == "unavailable"]
    gone = {skipped.profiler for skipped in without}
    sets = [tuple(name for name in names if name not in gone) for names in experiment.profilers]
    return [names for names in sets if names], without


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
