"""trace-chrome: every span with its start and end, by the program's own tracing-chrome layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

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

if TYPE_CHECKING:
    import pyarrow as pa

_SEVERAL = (
    "{} traces were read: each counts time from its own start, and a span lies in those of its own trace."
)


class TraceChrome:
    """Wall time of spans."""

    name = "trace-chrome"
    title = "tracing-chrome: spans"
    unit = "ns of span wall time"
    sees = "every span with its start and end, waits and queueing included"
    blind_to = "anything that the program does not wrap in a span"
    grows_with_load = True
    needs_target_support = True
    looks_at = frozenset({"mount", "program"})
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
        import duckdb

        from fuselab.analysis.spans.flame import read_flame
        from fuselab.analysis.spans.trace import read_traces, wall_stacks
        from fuselab.profilers.output import Extras, Reading, files_of, profile_of

        def read(capture: CaptureFolder) -> Reading:
            traces = files_of(capture, self.name)
            # Where tracing-flame shared the run, its stacks tell nested calls from concurrent ones.
            flames = capture.left_by("trace-flame")
            edges = read_flame(*flames).edges if any(flame.stat().st_size for flame in flames) else None
            spans = out / f"spans.{capture.repeat:03d}.parquet"
            summary = read_traces(traces, spans, edges or None, scratch=out)
            with duckdb.connect() as connection:
                connection.read_parquet(str(spans)).create_view("spans")
                folded = wall_stacks(connection)
            figures: dict[str, float | int | str] = {
                "spans": summary.spans,
                "unclosed_spans": summary.unclosed,
                "trace_bytes": sum(trace.stat().st_size for trace in traces),
                "style": summary.style,
            }
            remarks = (_SEVERAL.format(len(traces)),) if len(traces) > 1 else ()
            return Reading(folded.stacks, traces, figures, summary.notes(), remarks)

        def extras() -> Extras:
            # What queries and the blind-spot table read: the first capture's.
            (out / "spans.parquet").hardlink_to(out / f"spans.{captures[0].repeat:03d}.parquet")
            return Extras(table=span_summary(out / "spans.parquet"))

        return profile_of(self, captures, out, tools, read, extras)


def span_summary(spans: Path) -> pa.Table:
    """One row per span name: calls, and wall and self time in us."""
    import duckdb

    with duckdb.connect() as connection:
        connection.read_parquet(str(spans)).create_view("spans")
        table: pa.Table = connection.sql(
            "select target, name, file, line, count(*) calls, sum(dur_us) total_us, sum(self_us) self_us, "
            "median(dur_us) p50_us, quantile_cont(dur_us, 0.99) p99_us, max(dur_us) max_us "
            "from spans group by all order by self_us desc"
        ).to_arrow_table()
    return table
