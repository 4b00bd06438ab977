"""Spans of a tracing-chrome trace as one Parquet table, and wall-time stacks from it.

DuckDB parses the file on all processors and hands over numbers in batches; what needs an order (which end
belongs to which begin, which span is inside which) is done on arrays of numbers, about 60 bytes an event. The
arguments, the only large part, wait in a scratch file and are copied through.

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
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from fuselab.analysis import span_tree
from fuselab.analysis.folded import Folded, safe_frame
from fuselab.analysis.refusal import Refusal
from fuselab.analysis.span_events import RawEvents, Site, read_events
from fuselab.analysis.span_pairs import Bools, Ints, Pairs, pair
from fuselab.analysis.trace_file import sliced

if TYPE_CHECKING:
    import duckdb

MEMORY = "256MB"
"""What DuckDB may use; beyond it, it spills into the scratch folder."""
WALL_UNIT = "ns of span wall time"
_ROWS = 1 << 17
_TEXTS = ["target", "name", "file", "thread", "path"]


@dataclass(frozen=True)
class Edge:
    """One place directly inside another, as tracing-flame's stacks show it: (name, file, line) of both."""

    parent: tuple[str, str, int]
    child: tuple[str, str, int]


@dataclass(frozen=True)
class TraceSummary:
    """What a trace held, for profile.json."""

    spans: int
    roots: int
    unclosed: int
    """Spans that the trace ends in."""
    orphan_ends: int
    """Ends of spans without a begin; 0 in a trace that tracing-chrome wrote from its start."""
    cut: bool
    """The program did not finish the file; it was read up to the cut."""
    style: str
    """`async`: a span is a lifetime. `threaded`: it is one stay on a thread."""
    duration_us: float

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
        return tuple(said)


def read_trace(
    trace: Path, out: Path, edges: Iterable[Edge] | None = None, scratch: Path | None = None
) -> TraceSummary:
    """Write the spans of `trace` (tracing-chrome, either style) to `out` as Parquet.

    `edges` tell nested calls from concurrent ones (see span_tree); take them from tracing-flame where both
    layers shared the run. `scratch` holds a copy of the trace while it is read (default: the system's).
    Raises Refusal for a trace that holds no span, with the reason and what to change.
    """
    with tempfile.TemporaryDirectory(prefix="fuselab-spans-", dir=scratch) as folder:
        with sliced(trace, Path(folder)) as slices:
            raw = read_events(slices.files, Path(folder), MEMORY)
        if not len(raw.events.ts_ns):
            raise Refusal(
                f"The trace {trace.name} has events but no span.",
                "Set RUST_LOG to the level of the spans (`<target>=trace`).",
            )
        pairs = pair(raw.events, raw.first_arguments)
        table = _Table.made(raw, pairs, _allowed(raw.sites, edges))
        draft = out.with_name(f".{out.name}.draft")
        table.write(raw, draft)
        draft.replace(out)
    return TraceSummary(
        spans=len(table.parent),
        roots=int((table.parent == span_tree.NONE).sum()),
        unclosed=len(pairs.unclosed),
        orphan_ends=pairs.orphans,
        cut=slices.cut,
        style="threaded" if raw.threaded else "async",
        duration_us=float(raw.events.ts_ns.max() - raw.events.ts_ns.min()) / 1000,
    )


def wall_stacks(connection: duckdb.DuckDBPyConnection, spans: str = "spans") -> Folded:
    """Self wall time (ns) by path. `spans` is a view or table of `connection` with the columns above."""
    rows = connection.execute(
        f"select path, round(sum(self_us) * 1000)::bigint from {spans} group by path order by path"
    ).fetchall()
    return Folded({tuple(path.split(";")): value for path, value in rows if value > 0}, WALL_UNIT)


def _allowed(sites: Sequence[Site], edges: Iterable[Edge] | None) -> Bools | None:
    """sites x sites: [parent, child] for the pairs that `edges` name; None without edges."""
    if edges is None:
        return None
    numbers: dict[tuple[str, str, int], list[int]] = {}
    for number, site in enumerate(sites):
        numbers.setdefault((site.name, site.file, site.line), []).append(number)
    allowed = np.zeros((len(sites), len(sites)), dtype=np.bool_)
    for edge in edges:
        for parent in numbers.get(edge.parent, ()):
            allowed[parent, numbers.get(edge.child, [])] = True
    return allowed


@dataclass(frozen=True)
class _Table:
    """The numeric columns, one entry per span, by group and start."""

    spans: span_tree.Spans
    parent: Ints
    self_ns: Ints
    root: Ints
    path: span_tree.Sites
    depth: span_tree.Sites
    texts: list[str]
    """Of each path."""
    closed: Bools
    opened: Ints
    """Event that opened the span."""
    carrier: Ints
    """Event whose arguments are the span's: its end, or its begin if it has none."""

    @staticmethod
    def made(raw: RawEvents, pairs: Pairs, allowed: Bools | None) -> _Table:
        events = raw.events
        opened = np.concatenate([pairs.begins, pairs.unclosed])
        carrier = np.concatenate([pairs.ends, pairs.unclosed])
        end_ns = events.ts_ns[carrier].copy()
        end_ns[len(pairs.begins) :] = events.ts_ns.max()
        closed = np.ones(len(opened), dtype=np.bool_)
        closed[len(pairs.begins) :] = False
        group = raw.dense_groups()[opened]
        order = span_tree.order(group, events.ts_ns[opened], end_ns)
        opened, carrier, closed = opened[order], carrier[order], closed[order]
        spans = span_tree.Spans(group[order], events.site[opened], events.ts_ns[opened], end_ns[order])
        # A thread does one thing at a time; a request need not.
        threads = span_tree.containers
        parent = threads(spans) if raw.threaded else span_tree.parents(spans, len(raw.sites), allowed)
        path, known, depth = span_tree.paths(spans, parent)
        return _Table(
            spans=spans,
            parent=parent,
            self_ns=span_tree.self_times(spans, parent),
            root=span_tree.roots(parent),
            path=path,
            depth=depth,
            texts=_texts(known, raw.sites),
            closed=closed,
            opened=opened,
            carrier=carrier,
        )

    def write(self, raw: RawEvents, out: Path) -> None:
        """In the order of the carrier events, so that the arguments are read once and in sequence."""
        columns = _Columns(self, raw)
        span_of = np.full(len(raw.events.ts_ns), -1, dtype=np.int32)
        span_of[self.carrier] = np.arange(len(self.carrier), dtype=np.int32)
        options: dict[str, Any] = {"compression": "lz4", "use_dictionary": _TEXTS}
        with pq.ParquetWriter(out, columns.schema, **options) as writer:
            for first, args in raw.arguments():
                mine = span_of[first : first + len(args)]
                here = np.flatnonzero(mine >= 0)
                writer.write_batch(columns.batch(mine[here], args.take(here)), row_group_size=_ROWS)


def _texts(known: Sequence[tuple[int, int]], sites: Sequence[Site]) -> list[str]:
    texts: list[str] = []
    for above, site in known:
        frame = safe_frame(f"{sites[site].target}::{sites[site].name}")
        texts.append(frame if above < 0 else f"{texts[above]};{frame}")
    return texts


class _Columns:
    """Arrow columns for any choice of spans; texts stay numbers with a dictionary beside them."""

    def __init__(self, table: _Table, raw: RawEvents) -> None:
        self._table = table
        self._tid = raw.tid
        sites = raw.sites
        self._texts = {
            "target": pa.array([site.target for site in sites], pa.string()),
            "name": pa.array([site.name for site in sites], pa.string()),
            "file": pa.array([site.file or None for site in sites], pa.string()),
        }
        self._lines = np.array([site.line for site in sites], dtype=np.int32)
        self._paths = pa.array(table.texts, pa.string())
        count = int(raw.tid.max(initial=-1)) + 1
        self._threads = pa.array([raw.threads.get(tid, str(tid)) for tid in range(count)], pa.string())
        self.schema = self.batch(np.zeros(0, dtype=np.int32), pa.array([], pa.string())).schema

    def batch(self, rows: span_tree.Sites, args: pa.StringArray) -> pa.RecordBatch:
        table = self._table
        site = table.spans.site[rows]
        parent = table.parent[rows]
        tid = self._tid[table.opened[rows]]
        start_ns = table.spans.start_ns[rows]
        line = self._lines[site]
        columns = {
            "id": pa.array(rows.astype(np.int64) + 1),
            "parent": pa.array(parent + 1, mask=parent == span_tree.NONE),
            "root": pa.array(table.root[rows] + 1),
            **{name: _encoded(site, texts) for name, texts in self._texts.items()},
            "line": pa.array(line, mask=line == 0),
            "thread": _encoded(tid, self._threads),
            "tid": pa.array(tid),
            "start_us": pa.array(start_ns / 1000),
            "dur_us": pa.array((table.spans.end_ns[rows] - start_ns) / 1000),
            "self_us": pa.array(table.self_ns[rows] / 1000),
            "depth": pa.array(table.depth[rows]),
            "path": _encoded(table.path[rows], self._paths),
            "closed": pa.array(table.closed[rows]),
            "args": args,
        }
        return pa.RecordBatch.from_pydict(columns)


def _encoded(numbers: span_tree.Sites, texts: pa.StringArray) -> pa.Array:  # type: ignore[type-arg]
    return pa.DictionaryArray.from_arrays(numbers.astype(np.int32), texts)
