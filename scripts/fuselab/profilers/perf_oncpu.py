"""perf-oncpu: where the target's threads burn CPU, sampled by perf in the measured window only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from fuselab.profilers.base import Capability, CaptureContext, CaptureFolder, Tools, Window
from fuselab.profilers.capability import native
from fuselab.profilers.observing import disagreement_notes
from fuselab.profilers.perf_session import DATA, recording
from fuselab.records.profile import Profile
from fuselab.targets.model import ProfilerSupport, Target


class PerfOnCpu:
    """Samples of CPU time."""

    name = "perf-oncpu"
    title = "perf: on CPU"
    unit = "ns on CPU"
    sees = "where threads run, in the program, its libraries and the kernel"
    blind_to = "every wait: a thread or task that does not run is never sampled"
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
        from fuselab.analysis.perf.command_line import oncpu_record_argv

        return recording(context, oncpu_record_argv)

    def process(self, captures: Sequence[CaptureFolder], out: Path, tools: Tools) -> Profile:
        from fuselab.analysis.perf.interpreter import interpreter_notes
        from fuselab.analysis.perf.oncpu import OnCpu, read_oncpu
        from fuselab.analysis.symbols.symbolizer import Symbols
        from fuselab.profilers.output import Extras, Reading, profile_of, quality_figures

        symbols = Symbols()
        seen: list[OnCpu] = []

        def read(capture: CaptureFolder) -> Reading:
            data = capture.raw(DATA)
            found = read_oncpu(tools.perf, data, symbols)
            seen.append(found)
            figures = {
                **quality_figures(found.quality, symbols.manglings),
                "samples": found.samples,
                "lost_samples": found.lost,
                "kernel_ns": found.kernel_ns,
                "event": found.event,
            }
            notes = (
                *interpreter_notes(capture.binary, data, capture.family() or None),
                *found.quality.limits(),
            )
            return Reading(found.stacks, (data,), figures, notes, sample_value=found.total_ns / found.samples)

        def extras() -> Extras:
            totals, samples = [found.total_ns for found in seen], [found.samples for found in seen]
            return Extras(notes=disagreement_notes(captures, totals, samples))

        return profile_of(self, captures, out, tools, read, extras)
