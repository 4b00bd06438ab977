"""Which profiler can look at what under which load, judged before anything runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from fuselab import profilers
from fuselab.experiment.model import Workload
from fuselab.profilers.base import Capability
from fuselab.targets.model import Target


def capability(name: str, workload: Workload, target: Target) -> Capability:
    """What the profiler `name` can do under `workload`: for its command, or for the program of `target`."""
    profiler = profilers.REGISTRY[name]
    if workload.looks_at == "command":
        return profiler.capability_of_command(workload.program)
    return profiler.capability(target)


def that_look_at(workload: Workload, names: Iterable[str]) -> tuple[str, ...]:
    """Those that have something to look at under this kind of load: a bench has no mount to trace."""
    if not workload.captured:
        return ()
    return tuple(name for name in names if workload.looks_at in profilers.REGISTRY[name].looks_at)


def that_can_look(workload: Workload, names: Iterable[str], target: Target) -> tuple[str, ...]:
    """Of these, those that can: at `target`, or at the load's command."""
    looking = that_look_at(workload, names)
    return tuple(name for name in looking if capability(name, workload, target).level != "unavailable")


def looking_at_targets(loads: Sequence[Workload]) -> bool:
    """Whether under any load the program of a target is looked at; so too where no load is known."""
    return not loads or any(load.looks_at != "command" for load in loads)
