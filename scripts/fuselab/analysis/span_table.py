"""Spans as columns, and the Parquet file made of them.

Texts stay numbers with a dictionary beside them from end to end; the arguments are copied through from the
scratch file, batch by batch, in the order in which they lie there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from fuselab.analysis import span_tree
from fuselab.analysis.folded import safe_frame
from fuselab.analysis.span_events import RawEvents, Site, Spool
from fuselab.analysis.span_pairs import Bools, Ints, Keys, Pairs, Rows
from fuselab.analysis.span_tree import Sites

_ROW_GROUP = 1 << 17
_TEXTS = ["target", "name", "file", "thread", "path"]


@dataclass(frozen=True)
class OpenedSpans:
    """What a trace says of each span, by group and start (see span_tree). One entry per span."""

    spans: span_tree.Spans
    tid: Sites
    closed: Bools
    carrier: Rows
    """Event whose arguments are the span's: its end, or its begin if it has none."""
    events: int
    spool: Spool
    sites: Sequence[Site]
    threads: Mapping[int, str]
    threaded: bool


def opened(raw: RawEvents, pairs: Pairs) -> OpenedSpans:
    """Bring paired events into the order of spans. One that is not closed lasts to the end of the trace."""
    events = raw.events
    begin = np.concatenate([pairs.begins, pairs.unclosed])
    carrier = np.concatenate([pairs.ends, pairs.unclosed])
    start_ns, end_ns = events.ts_ns[begin], events.ts_ns[carrier]
    end_ns[len(pairs.begins) :] = events.ts_ns.max()
    closed = np.ones(len(begin), dtype=np.bool_)
    closed[len(pairs.begins) :] = False
    group = _dense(events.group[begin], start_ns)
    order = span_tree.order(group, start_ns, end_ns)
    begin = begin[order]
    return OpenedSpans(
        spans=span_tree.Spans(group[order], events.site[begin], start_ns[order], end_ns[order]),
        tid=raw.tid[begin],
        closed=closed[order],
        carrier=carrier[order],
        events=len(events.ts_ns),
        spool=raw.spool,
        sites=raw.sites,
        threads=raw.threads,
        threaded=raw.threaded,
    )


def write(table: OpenedSpans, allowed: Bools | None, out: Path) -> int:
    """Find parents, paths and self times, write everything to `out`; the number of roots. See spans.read_trace."""
    tree = _Tree.grown(table, allowed)
    columns = _Columns(table, tree)
    span_of = np.full(table.events, -1, dtype=np.int32)
    span_of[table.carrier] = np.arange(len(table.carrier), dtype=np.int32)
    options: dict[str, Any] = {"compression": "lz4", "use_dictionary": _TEXTS}
    with pq.ParquetWriter(out, columns.schema, **options) as writer:
        for first, args in table.spool.batches():
            mine = span_of[first : first + len(args)]
            here = np.flatnonzero(mine >= 0)
            writer.write_batch(columns.batch(mine[here], args.take(here)), row_group_size=_ROW_GROUP)
    return int((tree.parent == span_tree.NONE).sum())


def _dense(group: Keys, start_ns: Ints) -> Rows:
    """The group of each span as a number from 0 on, in the order in which the groups began."""
    encoded = pa.array(group).dictionary_encode()
    number = encoded.indices.to_numpy()
    began_ns = np.full(len(encoded.dictionary), np.iinfo(np.int64).max)
    np.minimum.at(began_ns, number, start_ns)
    rank = np.empty(len(began_ns), dtype=np.int32)
    rank[np.argsort(began_ns, kind="stable")] = np.arange(len(rank))
    dense: Rows = rank[number]
    return dense


@dataclass(frozen=True)
class _Tree:
    """What follows from the order of spans, one entry per span."""

    parent: Rows
    root: Rows
    self_ns: Ints
    depth: NDArray[np.int16]
    path: Sites
    texts: Sequence[str]
    """Of each path."""

    @staticmethod
    def grown(table: OpenedSpans, allowed: Bools | None) -> _Tree:
        spans = table.spans
        parent = _parents(table, allowed)
        path, known, depth = span_tree.paths(spans, parent)
        return _Tree(
            parent=parent,
            root=span_tree.roots(parent),
            self_ns=span_tree.self_times(spans, parent),
            depth=depth,
            path=path,
            texts=_path_texts(known, table.sites),
        )


def _parents(table: OpenedSpans, allowed: Bools | None) -> Rows:
    if table.threaded:  # a thread does one thing at a time; a request need not
        return span_tree.containers(table.spans)
    return span_tree.parents(table.spans, len(table.sites), allowed)


def _path_texts(known: Sequence[tuple[int, int]], sites: Sequence[Site]) -> list[str]:
    texts: list[str] = []
    for above, site in known:
        frame = safe_frame(f"{sites[site].target}::{sites[site].name}")
        texts.append(frame if above < 0 else f"{texts[above]};{frame}")
    return texts


class _Columns:
    """Arrow columns for any choice of spans."""

    def __init__(self, table: OpenedSpans, tree: _Tree) -> None:
        self._table = table
        self._tree = tree
        sites = table.sites
        self._texts = {
            "target": pa.array([site.target for site in sites], pa.string()),
            "name": pa.array([site.name for site in sites], pa.string()),
            "file": pa.array([site.file for site in sites], pa.string()),
        }
        self._lines = np.array([site.line for site in sites], dtype=np.int32)
        self._paths = pa.array(tree.texts, pa.string())
        self._tids = np.unique(table.tid)
        self._threads = pa.array(
            [table.threads.get(tid, str(tid)) for tid in self._tids.tolist()], pa.string()
        )
        self.schema = self.batch(np.zeros(0, dtype=np.int32), pa.array([], pa.string())).schema

    def batch(self, rows: Rows, args: pa.StringArray) -> pa.RecordBatch:
        table, tree = self._table, self._tree
        site, tid, parent = table.spans.site[rows], table.tid[rows], tree.parent[rows]
        start_ns = table.spans.start_ns[rows]
        line = self._lines[site]
        columns = {
            "id": pa.array(rows + np.int64(1)),
            "parent": pa.array(parent + np.int64(1), mask=parent == span_tree.NONE),
            "root": pa.array(tree.root[rows] + np.int64(1)),
            "target": _encoded(site, self._texts["target"]),
            "name": _encoded(site, self._texts["name"]),
            "file": _encoded(site, self._texts["file"], missing=line == 0),
            "line": pa.array(line, mask=line == 0),
            "thread": _encoded(np.searchsorted(self._tids, tid), self._threads),
            "tid": pa.array(tid),
            "start_us": pa.array(start_ns / 1000),
            "dur_us": pa.array((table.spans.end_ns[rows] - start_ns) / 1000),
            "self_us": pa.array(tree.self_ns[rows] / 1000),
            "depth": pa.array(tree.depth[rows]),
            "path": _encoded(tree.path[rows], self._paths),
            "closed": pa.array(table.closed[rows]),
            "args": args,
        }
        return pa.RecordBatch.from_pydict(columns)


def _encoded(
    numbers: NDArray[np.signedinteger[Any]], texts: pa.StringArray, missing: Bools | None = None
) -> pa.Array:  # type: ignore[type-arg]
    return pa.DictionaryArray.from_arrays(pa.array(numbers, pa.int32(), mask=missing), texts)
