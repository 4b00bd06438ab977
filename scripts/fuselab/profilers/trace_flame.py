"""trace-flame: time that threads spent inside spans, by the program's own tracing-flame layer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fuselab.profilers.base import AccountParts, Profiler, Reading, Sight

if TYPE_CHECKING:
    from fuselab.profilers.capture import CaptureFolder

FRAMES = "frames.parquet"


class TraceFlame(Profiler):
    """Poll time of spans."""

    name = "trace-flame"
    title = "tracing-flame: poll time"
    unit = "ns of poll time"
    sees = "time a thread spent inside each span"
    blind_to = "time suspended at an await: no thread is inside the span then"
    written_by_target = True
    shows = Sight(on_cpu="in poll time", blocked="in poll time")
    account = AccountParts(polled=FRAMES)

    def read(self, capture: CaptureFolder, out: Path) -> Reading:
        from fuselab.analysis.spans.flame import read_flame, write_frames

        recordings = capture.files_of(self.name)
        flame = read_flame(*recordings)
        write_frames(out / capture.numbered(FRAMES), flame.frames)
        figures = {
            "outside_ns": flame.outside_ns,
            "recording_bytes": sum(path.stat().st_size for path in recordings),
        }
        return Reading(flame.folded.stacks, recordings, figures, flame.notes())
