"""perf-offcpu: where the target's threads block, from scheduler switches with their stacks."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

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
from fuselab.profilers.perf_record import offcpu_record_argv
from fuselab.profilers.perf_session import PERF, PERMIT_ALL, recorded, recording
from fuselab.programs import tool

if TYPE_CHECKING:
    from fuselab.profilers.capture import CaptureFolder

_NOTHING_BLOCKED = (
    "No thread was blocked but for want of something to do: there is nothing to draw beside the idle threads."
)
_APART = {
    "idle": ("Idle: waited for something to do", "green"),
    "preempted": ("Preempted: could have run, and was not let", "aqua"),
}
"""What is drawn beside the blocked threads: its title, and its colours."""


class PerfOffCpu(Profiler):
    """Time off CPU by the stack that left it: blocked in folded.txt; idle and preempted apart."""

    name = "perf-offcpu"
    title = "perf: off CPU, blocked"
    unit = "ns off CPU"
    sees = "where threads block, idle or are preempted, with the stack that left the CPU"
    blind_to = "tasks suspended at an await: their thread has gone on to other work or is parked"
    looks_at = EVERYTHING
    from_outside = True
    programs = (PERF,)
    kernel_event = PerfEvent(
        "sched:sched_switch",
        can="perf can record when threads leave and regain a CPU",
        cannot="cannot see the scheduler",
        mend=PERMIT_ALL,
    )
    shows = Sight(blocked="yes")
    account = AccountParts(blocked="folded.txt", idle="idle.txt", preempted="preempted.txt")

    def attach(self, context: CaptureContext) -> AbstractContextManager[Window]:
        return recording(context, self.name, offcpu_record_argv)

    def read(self, capture: CaptureFolder, out: Path) -> Reading:
        from fuselab.analysis.perf.interpreter import interpreter_notes
        from fuselab.analysis.perf.offcpu import read_offcpu
        from fuselab.analysis.symbols.symbolizer import Symbols
        from fuselab.profilers.processing import quality_figures

        data, symbols, pids = recorded(capture, self.name), Symbols(), capture.run.family or None
        off = read_offcpu(tool(PERF.name), data, symbols, capture.window_ns(), pids=pids)
        figures = {
            **quality_figures(off.quality, symbols.manglings),
            "switches": off.switches,
            "lost_records": off.lost,
            "blocked_ns": off.blocked_ns,
            "idle_ns": off.idle_ns,
            "preempted_ns": off.preempted_ns,
            "without_stack_ns": off.without_stack_ns,
            "before_window_ns": off.before_window_ns,
            "threads": off.threads,
            "silent_threads": off.silent_threads,
        }
        notes = (*interpreter_notes(capture.binary, data, pids), *off.quality.limits())
        apart = {"idle": off.idle, "preempted": off.preempted}
        return Reading(off.blocked, (data,), figures, notes, nothing=_NOTHING_BLOCKED, detail=apart)

    def add(self, captures: Sequence[CaptureFolder], readings: Sequence[Reading], out: Path) -> Addition:
        from fuselab.analysis.folded import Folded, Picture, merged, write_folded
        from fuselab.profilers.processing import draw

        pictures = {}
        for name, (title, colors) in _APART.items():
            whole = merged(Folded(reading.detail[name], f"ns {name}") for reading in readings)
            write_folded(out / f"{name}.txt", whole)
            if whole:
                draw(whole, out / f"{name}.svg", Picture(title=f"perf: off CPU, {name}", colors=colors))
                pictures[title] = f"{name}.svg"
        return Addition(pictures=pictures)
