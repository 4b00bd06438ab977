"""trace-flame: time that threads spent inside spans, by the program's own tracing-flame layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from fuselab.profilers.base import (
    Capability,
    CaptureContext,
    CaptureFolder,
    Tools,
    Window,
    whole_run,
)
from fuselab.profilers.capability import described
from fuselab.records.profile import Profile
from fuselab.targets.model import ProfilerSupport, Target


class TraceFlame:
    """Poll time of spans."""

    name = "trace-flame"
    title = "tracing-flame: poll time"
    unit = "ns of poll time"
    sees = "time a thread spent inside each span"
    blind_to = "time suspended at an await: no thread is inside the span then"
    grows_with_load = True
    needs_target_support = True
    looks_at = frozenset({"mount"})
    written_by_target = True

    def capability(self, target: Target) -> Capability:
        return described(self.name, target)

    def environment(self, support: ProfilerSupport) -> Mapping[str, str]:
        return {}

    def equip(self, folder: Path) -> None:
        return None

    def attach(self, context: CaptureContext) -> AbstractContextManager[Window]:
        return whole_run()

    def process(self, captures: Sequence[CaptureFolder], out: Path, tools: Tools) -> Profile:
        from fuselab.analysis.spans.flame import read_flame, write_frames
        from fuselab.profilers.output import Extras, Reading, files_of, profile_of

        def read(capture: CaptureFolder) -> Reading:
            recordings = files_of(capture, self.name)
            flame = read_flame(*recordings)
            write_frames(out / f"frames.{capture.repeat:03d}.parquet", flame.frames)
            figures = {
                "outside_ns": flame.outside_ns,
                "recording_bytes": sum(path.stat().st_size for path in recordings),
            }
            return Reading(flame.folded.stacks, recordings, figures, flame.notes())

        def extras() -> Extras:
            # What the blind-spot table reads: the first capture's.
            (out / "frames.parquet").hardlink_to(out / f"frames.{captures[0].repeat:03d}.parquet")
            return Extras()

        return profile_of(self, captures, out, tools, read, extras)
