"""perf-offcpu: where the target's threads block, from scheduler switches with their stacks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from fuselab.profilers.base import Capability, CaptureContext, CaptureFolder, Tools, Window
from fuselab.profilers.capability import native
from fuselab.profilers.perf_session import DATA, recording
from fuselab.records.profile import Profile
from fuselab.targets.model import ProfilerSupport, Target

_NOTHING_BLOCKED = (
    "No thread was blocked but for want of something to do: there is nothing to draw beside the idle threads."
)


class PerfOffCpu:
    """Time off CPU by the stack that left it: blocked in folded.txt; idle and preempted apart."""

    name = "perf-offcpu"
    title = "perf: off CPU, blocked"
    unit = "ns off CPU"
    sees = "where threads block, idle or are preempted, with the stack that left the CPU"
    blind_to = "tasks suspended at an await: their thread has gone on to other work or is parked"
    grows_with_load = True
    needs_target_support = False
    looks_at = frozenset({"mount"})
    written_by_target = False

    def capability(self, target: Target) -> Capability:
        return native(self.name, target)

    def environment(self, support: ProfilerSupport) -> Mapping[str, str]:
        return {}

    def equip(self, folder: Path) -> None:
        return None

    def attach(self, context: CaptureContext) -> AbstractContextManager[Window]:
        from fuselab.analysis.perf.command_line import offcpu_record_argv

        return recording(context, offcpu_record_argv)

    def process(self, captures: Sequence[CaptureFolder], out: Path, tools: Tools) -> Profile:
        from fuselab.analysis.folded import Folded, Picture, flamegraph, merged, write_folded
        from fuselab.analysis.perf.interpreter import interpreter_notes
        from fuselab.analysis.perf.offcpu import OffCpu, read_offcpu
        from fuselab.analysis.symbols.symbolizer import Symbols
        from fuselab.profilers.output import Extras, Reading, profile_of, quality_figures

        symbols = Symbols()
        found: list[OffCpu] = []

        def read(capture: CaptureFolder) -> Reading:
            data = capture.raw(DATA)
            off = read_offcpu(tools.perf, data, symbols, capture.window_ns(), pids=capture.family() or None)
            found.append(off)
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
            notes = (
                *interpreter_notes(capture.binary, data, capture.family() or None),
                *off.quality.limits(),
            )
            return Reading(off.blocked, (data,), figures, notes, nothing=_NOTHING_BLOCKED)

        def extras() -> Extras:
            apart = {
                "idle": ("idle: waited for something to do", [off.idle for off in found], "green"),
                "preempted": (
                    "preempted: could have run, and was not let", [off.preempted for off in found], "aqua",
                ),
            }  # fmt: skip
            pictures = {}
            for name, (title, stacks, colors) in apart.items():
                whole = merged(Folded(side, f"ns {name}") for side in stacks)
                write_folded(out / f"{name}.txt", whole)
                if whole:
                    picture = Picture(title=f"perf: off CPU, {name}", colors=colors)
                    flamegraph(tools.inferno_flamegraph, whole, out / f"{name}.svg", picture)
                    pictures[title[0].upper() + title[1:]] = f"{name}.svg"
            return Extras(pictures=pictures)

        return profile_of(self, captures, out, tools, read, extras)
