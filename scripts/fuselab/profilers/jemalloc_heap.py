"""jemalloc-heap: who holds memory, from jemalloc's own sampled heap dumps.

A target that is built with jemalloc's profiling says so in its target.yaml. Any other native program gets
Debian's libjemalloc by LD_PRELOAD, which has profiling compiled in. Both get `tools/heap-peaks`, which has it write a
dump at each new peak.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fuselab.errors import RigError
from fuselab.profilers.base import EVERYTHING, Addition, Capability, GivenTable, Profiler, Reading, Timeline
from fuselab.profilers.preload import no_preload
from fuselab.programs import Program, tool
from fuselab.targets.model import Installed, ProfilerSupport, Target

if TYPE_CHECKING:
    from fuselab.profilers.capture import CaptureFolder

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
_JEPROF = Program("jeprof", ("--version",), "reads heap profiles", needed=False)


class JemallocHeap(Profiler):
    """Live bytes by allocating stack."""

    name = "jemalloc-heap"
    title = "jemalloc: live heap"
    unit = "bytes"
    sees = "which stacks allocated the memory that is still live, sampled"
    blind_to = "CPU, waits and I/O, and memory that is not allocated through malloc"
    looks_at = EVERYTHING
    from_outside = True
    written_by_target = True
    compared = "as it is"
    programs = (_JEPROF, Program("dot", ("-V",), "draws the heap graph", needed=False))
    tables = (
        GivenTable(
            "heap",
            "live memory by allocating stack",
            {"stack": "VARCHAR", "live_bytes": "DOUBLE", "live_objects": "DOUBLE"}
            | {"sampling_sd_bytes": "DOUBLE", "growth_bytes": "DOUBLE"},
            "table.parquet",
        ),
    )

    over_time = (
        Timeline(
            "timeline.parquet",
            "live_bytes",
            "Live heap over time",
            "bytes",
            "the first dump",
            "A line that keeps rising holds on to what it allocates; one that levels off has a cache that filled. "
            "Where it falls at the end, the target was stopping and freed what it had.",
        ),
    )

    def capability(self, target: Target) -> Capability:
        known = super().capability(target)
        if known.level == "unavailable" or self.name in target.profilers:
            return known
        if not isinstance(target.build, Installed):
            return known
        return self.capability_of_command(target.build.binary)

    def capability_of_command(self, program: str) -> Capability:
        """What is not there yet, or a script, is known once it has run."""
        path = shutil.which(program)
        obstacle = no_preload(Path(path)) if path is not None else None
        if obstacle:
            return Capability("unavailable", f"{program} {obstacle}")
        return Capability(
            "limited",
            "malloc is replaced by jemalloc for the capture (LD_PRELOAD): not the heap that was timed",
        )

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

    def read(self, capture: CaptureFolder, out: Path) -> Reading:
        from fuselab.analysis.heap.profile import read_heap
        from fuselab.analysis.quality import UNWIND_TABLES
        from fuselab.analysis.symbols.kept import read_kept
        from fuselab.analysis.symbols.symbolizer import Symbols
        from fuselab.errors import ProfileError, UnavailableError
        from fuselab.profilers.processing import quality_figures

        dumps, symbols = sorted(capture.folder.rglob("*.heap")), Symbols()
        kept, log = read_kept(capture.folder).build_ids, capture.log()
        # Nobody but the command was given the variables, and all that it started has them from it.
        of_command = capture.of_command
        pid = None if of_command else capture.run.pids.get("target")
        try:
            heap = read_heap(
                dumps, symbols, pid, capture.run.family, capture.binary, kept, log, everybody=of_command
            )
        except ProfileError as error:
            if obstacle := _obstacle(capture):
                raise UnavailableError(f"{capture.binary.name} {obstacle}.", _LEAVE_OUT) from error
            raise
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
            heap.stacks, dumps, figures, (*heap.caveats, *notes), (*heap.remarks, *remarks),
            heap.mean_sample_bytes, detail=heap,
        )  # fmt: skip

    def add(self, captures: Sequence[CaptureFolder], readings: Sequence[Reading], out: Path) -> Addition:
        import pyarrow.parquet as pq

        from fuselab.analysis.heap import jeprof
        from fuselab.profilers.heap_tables import memory_table, timeline_table

        heaps = [reading.detail for reading in readings]
        program, profile = tool(_JEPROF.name), out / "symbolised.heap"
        jeprof.write_symbolised(heaps[0], profile)
        (out / "jeprof.txt").write_text(jeprof.text(program, profile))
        for form in ("svg", "pdf"):
            (out / f"jeprof.{form}").write_bytes(jeprof.graph(program, profile, form))
        pq.write_table(timeline_table(heaps), out / "timeline.parquet")
        return Addition(
            pictures={"jeprof: who called whom": "jeprof.svg"},
            tables={"Live heap over time": "timeline.parquet"},
            table=memory_table(heaps[0]),
        )


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
    preloaded = capture.of_command or LIBRARY in capture.run.env.get("LD_PRELOAD", "")
    if not capture.binary.is_file() or not preloaded:
        return None
    return no_preload(capture.binary)
