"""jemalloc-heap: who holds memory, from jemalloc's own sampled heap dumps.

A target that is built with jemalloc's profiling says so in its target.yaml. Any other native program gets
Debian's libjemalloc by LD_PRELOAD, which has profiling compiled in. Both get `tools/heap-peaks`, which has it write a
dump at each new peak.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from fuselab.errors import RigError
from fuselab.profilers.base import (
    Capability,
    CaptureContext,
    CaptureFolder,
    Tools,
    Window,
    whole_run,
)
from fuselab.profilers.capability import native, no_preload, preload
from fuselab.programs import tool
from fuselab.records.profile import Profile
from fuselab.targets.model import ProfilerSupport, Target

LIBRARY = "libjemalloc.so.2"
"""Debian's libjemalloc2, found by the dynamic linker."""
ERROR_ENOUGH = 0.2
_LEAVE_OUT = (
    "Leave jemalloc-heap out of `profilers`, or say `jemalloc-heap: {unavailable: why}` in target.yaml."
)
_PEAKS = Path(__file__).parents[3] / "tools" / "heap-peaks" / "peaks.c"
_PEAKS_LIBRARY = "heap-peaks.so"
# A sample every 2 KiB: 1 MiB in small blocks is known within 4.4 %. Each sampled small block takes a page of its own:
# what it costs in memory and time is in docs/profilers.md.
_CONF = (
    "prof:true,prof_active:true,prof_final:true,lg_prof_interval:27,lg_prof_sample:11,"
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
    looks_at = frozenset({"mount"})
    written_by_target = True

    def capability(self, target: Target) -> Capability:
        if self.name in target.profilers:
            return native(self.name, target)
        return preload(self.name, target)

    def environment(self, support: ProfilerSupport) -> Mapping[str, str]:
        peaks = f"{{capture}}/{_PEAKS_LIBRARY}"
        if support.features or support.env:
            return {"LD_PRELOAD": peaks}
        return {"LD_PRELOAD": f"{LIBRARY}:{peaks}", "MALLOC_CONF": _CONF}

    def equip(self, folder: Path) -> None:
        argv = [tool("cc"), "-O2", "-shared", "-fPIC", "-o", str(folder / _PEAKS_LIBRARY), str(_PEAKS)]
        done = subprocess.run(argv, capture_output=True, text=True, errors="replace", check=False)
        if done.returncode != 0:
            raise RigError(f"{_PEAKS} does not compile: {done.stderr.strip()[-500:]}")

    def attach(self, context: CaptureContext) -> AbstractContextManager[Window]:
        return whole_run()

    def process(self, captures: Sequence[CaptureFolder], out: Path, tools: Tools) -> Profile:
        from fuselab.analysis.heap import jeprof
        from fuselab.analysis.heap.profile import Heap, read_heap
        from fuselab.analysis.quality import UNWIND_TABLES
        from fuselab.analysis.symbols.kept import read_kept
        from fuselab.analysis.symbols.symbolizer import Symbols
        from fuselab.errors import ProfileError, UnavailableError
        from fuselab.profilers.heap_tables import memory_table, timeline_table, write_table
        from fuselab.profilers.output import Extras, Reading, profile_of, quality_figures

        symbols = Symbols()
        heaps: list[Heap] = []

        def read(capture: CaptureFolder) -> Reading:
            dumps = sorted(capture.folder.rglob("*.heap"))
            try:
                heap = read_heap(
                    dumps,
                    symbols,
                    capture.target_pid(),
                    capture.family(),
                    capture.binary,
                    read_kept(capture.folder).build_ids,
                    capture.log(),
                )
            except ProfileError as refusal:
                if obstacle := _obstacle(capture):
                    # Of a run that failed the failure is said first, and this beside it.
                    say = (
                        UnavailableError if all(each.ended_in_order() for each in captures) else ProfileError
                    )
                    raise say(f"{capture.binary.name} {obstacle}.", _LEAVE_OUT) from refusal
                raise
            heaps.append(heap)
            figures = {
                **quality_figures(heap.quality, symbols.manglings),
                "dumps": len(heap.timeline),
                "peak_live_bytes": heap.peak.live_bytes,
                "last_live_bytes": heap.last_bytes,
                "sampling_error": heap.relative_error,
            }
            limits = heap.quality.limits(UNWIND_TABLES)
            remarks = tuple(note for note in limits if "names from" in note)
            notes = tuple(note for note in limits if note not in remarks) + _thin(heap.relative_error)
            return Reading(
                heap.stacks,
                tuple(dumps),
                figures,
                (*heap.caveats, *notes),
                (*heap.remarks, *remarks),
                heap.mean_sample_bytes,
            )

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
    from fuselab.analysis.heap.caveats import SAMPLE_MORE

    return (f"So little was sampled that the total has a standard error of {error:.0%}. {SAMPLE_MORE}",)


def _obstacle(capture: CaptureFolder) -> str | None:
    """Why a program that was built here did not take the preloaded jemalloc: known once it is there.

    None where none was preloaded: a program may be static and have a jemalloc of its own.
    """
    if not capture.binary.is_file() or LIBRARY not in capture.environment().get("LD_PRELOAD", ""):
        return None
    return no_preload(capture.binary)
