"""Spans of a tracing-chrome trace as one Parquet table, and wall-time stacks from it.

A program of ours, fuselab-spans, parses the file on all processors and pairs begins with ends as they go by; what needs
an order (which span is inside which, and which end belongs to which begin where that is not plain) is done on arrays of
numbers, about 100 bytes a span. The arguments, the only large part, wait in scratch files and are copied through.

Columns of spans.parquet, times in us since the trace began:

| column | |
|---|---|
| id, parent, root | numbers of this span, of the span around it (null for a root), and of its outermost span |
| target, name, file, line | the place |
| thread, tid | where it was opened |
| start_us, dur_us, self_us | self = duration minus the union of its children |
| depth, path | `target::name;target::name`, as in folded stacks |
| closed | false if the trace ends inside it: it then lasts to the end of the trace |
| args | JSON text; every value is a string, as Rust's Debug prints it |

In the async style a span is a lifetime: awaits and queueing are in it. In the threaded style it is one stay of
one thread inside the span.
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fuselab.analysis.captured import each_readable
from fuselab.analysis.columns import Bools
from fuselab.analysis.folded import Folded
from fuselab.analysis.spans import table
from fuselab.analysis.spans.events import Site, read_events
from fuselab.analysis.spans.flame import Edge, Location
from fuselab.analysis.spans.pairs import pair
from fuselab.analysis.spans.table import OpenedSpans
from fuselab.analysis.spans.trace_file import sliced
from fuselab.errors import ProfileError
from fuselab.files import atomically

if TYPE_CHECKING:
    import duckdb

WALL_UNIT = "ns of span wall time"


@dataclass(frozen=True)
class TraceSummary:
    """What a trace held, for profile.json."""

    spans: int
    unclosed: int
    """Spans that the trace ends in."""
    orphan_ends: int
    """Ends of spans without a begin; 0 in a trace that tracing-chrome wrote from its start."""
    cut: bool
    """The program did not finish the file; it was read up to the cut."""
    style: str
    """`async`: a span is a lifetime. `threaded`: it is one stay on a thread."""
    unread: tuple[str, ...] = ()
    """Why files beside others say nothing."""

    def notes(self) -> tuple[str, ...]:
        """Sentences for the report where the trace says less than it should."""
        said: list[str] = []
        if self.cut:
            said.append(
                "The trace was cut short and read up to the cut: the program did not finish its file."
            )
        if self.unclosed:
            said.append(f"{self.unclosed} of {self.spans} spans were still open at the end of the trace.")
        if self.orphan_ends:
            said.append(f"{self.orphan_ends} ends of spans have no begin and were left out.")
        if self.style == "threaded":
            said.append(
                "The trace has the threaded style: a span is one stay of a thread, so awaits are not in it."
            )
        return (*said, *self.unread)


def read_trace(
    trace: Path, out: Path, edges: Collection[Edge] | None = None, scratch: Path | None = None
) -> TraceSummary:
    """Write the spans of `trace` (tracing-chrome, either style) to `out` as Parquet.

    `edges` tell nested calls from concurrent ones (see `nesting`); take them from tracing-flame where both
    layers shared the run. `scratch` holds the arguments while it is read (default: the system's).
    Raises ProfileError for a trace that holds no span, with the reason and what to change.
    """
    with tempfile.TemporaryDirectory(prefix="fuselab-spans-", dir=scratch) as folder:
        opened, summary = _opened(trace, Path(folder))
        with atomically(out) as draft:
            table.write(opened, _allowed(opened.sites, edges), draft)
    return summary


def read_traces(
    traces: Sequence[Path], out: Path, edges: Collection[Edge] | None = None, scratch: Path | None = None
) -> TraceSummary:
    """All traces of one capture in one table: of several processes, or of a program that began its trace anew.

    Each is paired by itself, because ids and threads of one mean nothing in another, and counts time from its own
    start. Raises ProfileError where none of them holds a span.
    """
    if len(traces) == 1:
        return read_trace(traces[0], out, edges, scratch)
    with tempfile.TemporaryDirectory(prefix="fuselab-traces-", dir=scratch) as folder:

        def read_part(trace: Path) -> tuple[Path, TraceSummary]:
            part = Path(folder) / f"{traces.index(trace)}.parquet"
            return part, read_trace(trace, part, edges, scratch)

        read, unread = each_readable(traces, read_part)
        with atomically(out) as draft:
            table.join([part for part, _ in read], draft)
    summaries = [summary for _, summary in read]
    return TraceSummary(
        spans=sum(summary.spans for summary in summaries),
        unclosed=sum(summary.unclosed for summary in summaries),
        orphan_ends=sum(summary.orphan_ends for summary in summaries),
        cut=any(summary.cut for summary in summaries),
        style=max(summary.style for summary in summaries),
        unread=unread,
    )


def _opened(trace: Path, scratch: Path) -> tuple[OpenedSpans, TraceSummary]:
    """The events die here: only what is kept of each span goes on."""
    slices, cut = sliced(trace)
    raw = read_events(trace, slices, scratch)
    paired, left = raw.paired, raw.left.events
    if not len(paired.start_ns) + len(left.ts_ns):
        raise ProfileError(
            f"The trace {trace.name} has events but no span.",
            "Set RUST_LOG to the level of the spans (`<target>=trace`).",
        )
    pairs = pair(left, raw.left.first_arguments)
    spans = len(paired.start_ns) + len(pairs.begins) + len(pairs.unclosed)
    if not spans:
        raise ProfileError(
            f"The trace {trace.name} has no begin of a span.", "Write it from the program's start."
        )
    return table.opened(raw, pairs), TraceSummary(
        spans=spans,
        unclosed=len(pairs.unclosed),
        orphan_ends=pairs.orphans,
        cut=cut,
        style="threaded" if raw.threaded else "async",
    )


def wall_stacks(connection: duckdb.DuckDBPyConnection) -> Folded:
    """Self wall time (ns) by path, of the view or table `spans` with the columns above."""
    rows = connection.execute(
        "select path, round(sum(self_us) * 1000)::bigint from spans group by path order by path"
    ).fetchall()
    return Folded({tuple(path.split(";")): value for path, value in rows if value > 0}, WALL_UNIT)


def _allowed(sites: Sequence[Site], edges: Collection[Edge] | None) -> Bools | None:
    """sites x sites: [parent, child] for the pairs that `edges` name; None without edges."""
    if edges is None:
        return None
    allowed = np.zeros((len(sites), len(sites)), dtype=np.bool_)
    places = {place for edge in edges for place in (edge.parent, edge.child)}
    numbers = {place: [n for n, site in enumerate(sites) if _same(place, site)] for place in places}
    for edge in edges:
        for parent in numbers[edge.parent]:
            allowed[parent, numbers[edge.child]] = True
    return allowed


def _same(place: Location, site: Site) -> bool:
    return (place.file, place.line) == (site.file, site.line) and f"::{place.path}".endswith(f"::{site.name}")
