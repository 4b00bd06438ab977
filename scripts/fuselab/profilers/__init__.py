"""Ways to look, behind one registry. Adding one: a module here and its entry below, or a package of its own with an
entry point in the group `fuselab.profilers`."""

from __future__ import annotations

from fuselab.plugins import registry
from fuselab.profilers.base import Profiler
from fuselab.profilers.criterion_flamegraph import CriterionFlamegraph
from fuselab.profilers.fuse_requests import FuseRequests
from fuselab.profilers.jemalloc_heap import JemallocHeap
from fuselab.profilers.perf_offcpu import PerfOffCpu
from fuselab.profilers.perf_oncpu import PerfOnCpu
from fuselab.profilers.syscalls import Syscalls
from fuselab.profilers.tokio_console import TokioConsole
from fuselab.profilers.trace_chrome import TraceChrome
from fuselab.profilers.trace_flame import TraceFlame

REGISTRY: dict[str, Profiler] = registry(
    __name__,
    Profiler,  # type: ignore[type-abstract]  # its subclasses are not
    (
        TraceChrome(),
        TraceFlame(),
        TokioConsole(),
        JemallocHeap(),
        PerfOnCpu(),
        PerfOffCpu(),
        FuseRequests(),
        Syscalls(),
        CriterionFlamegraph(),
    ),
)
"""By the name that stands in experiments, paths and reports."""


def from_outside() -> list[Profiler]:
    """Those that need nothing of a target, what leaves it alone first."""
    looking = (profiler for profiler in REGISTRY.values() if profiler.from_outside)
    return sorted(looking, key=lambda profiler: profiler.written_by_target)


def giving(part: str) -> tuple[str, ...]:
    """Names of the profilers that give a part (of `AccountParts`) to the account of where the time is."""
    return tuple(name for name, profiler in REGISTRY.items() if getattr(profiler.account, part))


def accounting_requests() -> tuple[str, ...]:
    """Names of the profilers that say where the time of requests is, if they look at one run."""
    return (*giving("in_flight"), *giving("blocked"), *giving("on_cpu"))
