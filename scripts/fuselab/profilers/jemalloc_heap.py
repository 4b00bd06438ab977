"""jemalloc-heap: who holds memory, from jemalloc's own sampled heap dumps.

A target that is built with jemalloc's profiling says so in its target.yaml. Any other native program gets
Debian's libjemalloc by LD_PRELOAD, which has profiling compiled in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from fuselab.profilers.base import (
    Capability,
    CaptureContext,
    CaptureFolder,
    Profile,
    Tools,
    Window,
    whole_run,
)
from fuselab.profilers.capability import native, no_preload, preload
from fuselab.target.model import ProfilerSupport, Target

LIBRARY = "libjemalloc.so.2"
"""Debian's libjemalloc2, found by the dynamic linker."""
ERROR_ENOUGH = 0.2
_LEAVE_OUT = (
    "Leave jemalloc-heap out of `profilers`, or say `jemalloc-heap: {unavailable: why}` in target.yaml."
)
_CONF = (
    "prof:true,prof_active:true,prof_final:true,lg_prof_interval:27,lg_prof_sample:14,"
    "prof_prefix:{capture}/jeprof"
)


class JemallocHeap:
    """Live bytes by allocating stack."""

    name = "jemalloc-heap"
    title = "jemalloc: live heap"
    unit = "bytes"
    sees = "which stacks allocated the memory that is still live, sampled"
    blind_to = "CPU, waits and I/O, and memory that is not allocated through malloc"
    grows_with_load = False
    needs_target_support = False
    workload_kinds = frozenset({"fio", "command"})
    written_by_target = True

    def capability(self, target: Target) -> Capability:
        if self.name in target.profilers:
            return native(self.name, target)
        return preload(self.name, target)

    def environment(self, support: ProfilerSupport) -> Mapping[str, str]:
        if support.features or support.env:
            return {}
        return {"LD_PRELOAD": LIBRARY, "MALLOC_CONF": _CONF}

    def attach(self, context: CaptureContext) -> AbstractContextManager[Window]:
        return whole_run()

    def process(self, captures: Sequence[CaptureFolder], out: Path, tools: Tools) -> Profile:
        from fuselab.analysis import jeprof
        from fuselab.analysis.heap import Heap, dump_of, read_heap
        from fuselab.analysis.refusal import Refusal, Unavailable
        from fuselab.analysis.stacks import UNWIND_TABLES
        from fuselab.analysis.symbols import Symbols
        from fuselab.profilers.heap_tables import memory_table, timeline_table, write_table
        from fuselab.profilers.output import Extras, Reading, profile_of, quality_figures

        symbols = Symbols()
        heaps: list[Heap] = []

        def read(capture: CaptureFolder) -> Reading:
            dumps = sorted(capture.folder.rglob("*.heap"))
            pid = capture.target_pid()
            if not any(dump_of(dump, pid) for dump in dumps) and (obstacle := _obstacle(capture)):
                # Of a run that failed the failure is said first, and this beside it.
                say = Unavailable if all(each.ended_in_order() for each in captures) else Refusal
                raise say(f"{capture.binary.name} {obstacle}.", _LEAVE_OUT)
            heap = read_heap(dumps, symbols, pid, log=capture.log())
            heaps.append(heap)
            figures = {
                **quality_figures(heap.quality, symbols.manglings),
                "dumps": len(heap.timeline),
                "peak_live_bytes": heap.peak.live_bytes,
                "last_live_bytes": heap.last.live_bytes,
                "sampling_error": heap.relative_error,
            }
            limits = heap.quality.limits(UNWIND_TABLES)
            remarks = tuple(note for note in limits if "names from" in note)
            notes = tuple(note for note in limits if note not in remarks) + _thin(heap.relative_error)
            return Reading(heap.stacks, tuple(dumps), figures, notes, remarks, heap.mean_sample_bytes)

        def extras() -> Extras:
            profile = out / "symbolised.heap"
            jeprof.write_symbolised(heaps[0], profile)
            (out / "jeprof.txt").write_text(jeprof.text(tools.jeprof, profile))
            (out / "jeprof.svg").write_text(jeprof.svg(tools.jeprof, profile))
            write_table(timeline_table(heaps), out / "timeline.parquet")
            return Extras(
                pictures={"jeprof: who called whom": "jeprof.svg"},
                tables={"Live heap over time": "timeline.parquet"},
                table=memory_table(heaps[0]),
            )

        return profile_of(self, captures, out, tools, read, extras)


def _thin(error: float) -> tuple[str, ...]:
    """What to say of a total whose standard error, as a share of it, is too large to compare anything with."""
    if error <= ERROR_ENOUGH:
        return ()
    from fuselab.analysis.heap import SAMPLE_MORE

    return (f"So little was sampled that the total has a standard error of {error:.0%}. {SAMPLE_MORE}",)


def _obstacle(capture: CaptureFolder) -> str | None:
    """Why a program that was built here did not take the preloaded jemalloc: known once it is there.

    None where nothing was preloaded: a program may be static and have a jemalloc of its own.
    """
    if "LD_PRELOAD" not in capture.environment() or not capture.binary.is_file():
        return None
    return no_preload(capture.binary)
