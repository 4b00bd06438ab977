"""trace-chrome: every span with its start and end, by the program's own tracing-chrome layer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fuselab.profilers.base import AccountParts, Addition, Figures, GivenTable, Profiler, Reading, Sight
from fuselab.profilers.trace_flame import TraceFlame
from fuselab.programs import Program

if TYPE_CHECKING:
    import pyarrow as pa

    from fuselab.profilers.capture import CaptureFolder

SPANS = "spans.parquet"
_SEVERAL = (
    "{} traces were read: each counts time from its own start, and a span lies in those of its own trace."
)


class TraceChrome(Profiler):
    """Wall time of spans."""

    name = "trace-chrome"
    title = "tracing-chrome: spans"
    unit = "ns of span wall time"
    sees = "every span with its start and end, waits and queueing included"
    blind_to = "anything that the program does not wrap in a span"
    written_by_target = True
    programs = (Program("fuselab-spans", (), "reads traces of spans", needed=False, mend="make setup"),)
    shows = Sight(on_cpu="in wall time", blocked="in wall time", awaiting="in wall time")
    account = AccountParts(spans=SPANS)
    tables = (
        GivenTable(
            "spans",
            "every span of the first capture; times in us from the start of its trace",
            dict.fromkeys(("id", "parent", "root"), "BIGINT")
            | dict.fromkeys(("target", "name", "file"), "VARCHAR")
            | {"line": "INTEGER", "thread": "VARCHAR", "tid": "INTEGER"}
            | dict.fromkeys(("start_us", "dur_us", "self_us"), "DOUBLE")
            | {"depth": "INTEGER", "path": "VARCHAR", "closed": "BOOLEAN", "args": "VARCHAR"},
            SPANS,
        ),
    )

    def read(self, capture: CaptureFolder, out: Path) -> Reading:
        import duckdb

        from fuselab.analysis.spans.flame import read_flame
        from fuselab.analysis.spans.trace import read_traces, wall_stacks

        traces = capture.files_of(self.name)
        # Where tracing-flame shared the run, its stacks tell nested calls from concurrent ones.
        flames = capture.left_by(TraceFlame.name)
        edges = read_flame(*flames).edges if any(flame.stat().st_size for flame in flames) else None
        spans = out / capture.numbered(SPANS)
        summary = read_traces(traces, spans, edges or None, scratch=out)
        with duckdb.connect() as connection:
            connection.read_parquet(str(spans)).create_view("spans")
            folded = wall_stacks(connection)
        figures: Figures = {
            "spans": summary.spans,
            "unclosed_spans": summary.unclosed,
            "trace_bytes": sum(trace.stat().st_size for trace in traces),
            "style": summary.style,
        }
        remarks = (_SEVERAL.format(len(traces)),) if len(traces) > 1 else ()
        return Reading(folded.stacks, traces, figures, summary.notes(), remarks)

    def add(self, captures: Sequence[CaptureFolder], readings: Sequence[Reading], out: Path) -> Addition:
        return Addition(table=span_summary(out / SPANS))


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
