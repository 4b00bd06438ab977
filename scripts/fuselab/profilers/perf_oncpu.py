"""perf-oncpu: where the target's threads burn CPU, sampled by perf in the measured window only."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from fuselab.analysis.perf.complaints import NOT_THE_KERNEL, PERMIT_KERNEL
from fuselab.profilers.base import (
    EVERYTHING,
    AccountParts,
    Addition,
    CaptureContext,
    PerfEvent,
    Profiler,
    Reading,
    Sight,
    Window,
)
from fuselab.profilers.observing import disagreement_notes
from fuselab.profilers.perf_record import oncpu_record_argv
from fuselab.profilers.perf_session import PERF, recorded, recording
from fuselab.programs import tool

if TYPE_CHECKING:
    from fuselab.profilers.capture import CaptureFolder

_USER_ALONE = f"Only the program's own part is here: {NOT_THE_KERNEL} ({PERMIT_KERNEL}, or run as root)."


class PerfOnCpu(Profiler):
    """Samples of CPU time."""

    name = "perf-oncpu"
    title = "perf: on CPU"
    unit = "ns on CPU"
    sees = "where threads run, in the program, its libraries and the kernel"
    blind_to = "every wait: a thread or task that does not run is never sampled"
    looks_at = EVERYTHING
    from_outside = True
    programs = (PERF,)
    kernel_event = PerfEvent(
        "cpu-clock",
        can="perf can sample where CPU time goes",
        cannot="cannot sample what the kernel does for a program",
        mend=PERMIT_KERNEL,
    )
    shows = Sight(on_cpu="yes", fuse="in part")
    account = AccountParts(on_cpu="folded.txt")

    def attach(self, context: CaptureContext) -> AbstractContextManager[Window]:
        return recording(context, self.name, oncpu_record_argv)

    def read(self, capture: CaptureFolder, out: Path) -> Reading:
        from fuselab.analysis.perf.interpreter import interpreter_notes
        from fuselab.analysis.perf.oncpu import read_oncpu
        from fuselab.analysis.symbols.symbolizer import Symbols
        from fuselab.profilers.processing import quality_figures

        data, symbols = recorded(capture, self.name), Symbols()
        on = read_oncpu(tool(PERF.name), data, symbols)
        figures = {
            **quality_figures(on.quality, symbols.manglings),
            "samples": on.samples,
            "lost_samples": on.lost,
            "kernel_ns": on.kernel_ns,
            "event": on.event,
        }
        notes = (
            *interpreter_notes(capture.binary, data, capture.run.family or None),
            *(() if on.in_kernel else (_USER_ALONE,)),
            *on.quality.limits(),
        )
        return Reading(
            on.stacks, (data,), figures, notes, sample_value=on.total_ns / on.samples, detail=on.total_ns
        )

    def add(self, captures: Sequence[CaptureFolder], readings: Sequence[Reading], out: Path) -> Addition:
        samples = [int(reading.figures["samples"]) for reading in readings]
        return Addition(notes=disagreement_notes(captures, [reading.detail for reading in readings], samples))
