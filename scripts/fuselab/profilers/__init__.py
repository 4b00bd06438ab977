"""Ways to look, behind one registry. Adding one: a module here, and its entry below."""

from __future__ import annotations

from fuselab.profilers.base import Profiler
from fuselab.profilers.criterion_flamegraph import CriterionFlamegraph
from fuselab.profilers.jemalloc_heap import JemallocHeap
from fuselab.profilers.perf_offcpu import PerfOffCpu
from fuselab.profilers.perf_oncpu import PerfOnCpu
from fuselab.profilers.tokio_console import TokioConsole
from fuselab.profilers.trace_chrome import TraceChrome
from fuselab.profilers.trace_flame import TraceFlame

_ALL: tuple[Profiler, ...] = (
    TraceChrome(),
    TraceFlame(),
    TokioConsole(),
    JemallocHeap(),
    PerfOnCpu(),
    PerfOffCpu(),
    CriterionFlamegraph(),
)

REGISTRY: dict[str, Profiler] = {profiler.name: profiler for profiler in _ALL}
"""By the name that stands in experiments, paths and reports."""
