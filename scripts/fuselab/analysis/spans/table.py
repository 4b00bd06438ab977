"""Spans as columns, and the Parquet file made of them.

Texts stay numbers with a dictionary beside them from end to end; the arguments are copied through from the
scratch files, batch by batch, in the order in which they lie there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from fuselab.analysis.columns import Bools, Rows, Sites, encoded, numbers, texts
from fuselab.analysis.folded import safe_frame
from fuselab.analysis.spans import nesting
from fuselab.analysis.spans.events import RawSpans, Site, Spool
from fuselab.analysis.spans.pairs import Pairs

_ROW_GROUP = 1 << 17
_TEXTS = ["target", "name", "file", "thread", "path"]
_OPTIONS: dict[str, Any] = {"compression": "lz4", "use_dictionary": _TEXTS}
_NUMBERS = ("id", "parent", "root")
"""Columns that hold numbers of spans."""


@dataclass(frozen=True)
class OpenedSpans:
    """What a trace says of each span, by group and start (see `nesting`). One entry per span."""

    spans: nesting.Spans
    tid: Sites
    closed: Bools
    carrier: Rows
    """Where the arguments are, counted through all `spools`: the end's, or the begin's if it has no end."""
    carriers: int
    """How many arguments the spools hold."""
    spools: Sequence[Spool]
    sites: Sequence[Site]
    threads: Mapping[int, str]
    threaded: bool


def opened(raw: RawSpans, pairs: Pairs) -> OpenedSpans:
    """Bring spans into their order: those of `raw`, and `pairs` of the events that it left.

    One that is not closed lasts to the end of the trace.
    """
    paired, left = raw.paired, raw.left
    count, tail = len(paired.start_ns), len(pairs.unclosed)
    begin = np.concatenate([pairs.begins, pairs.unclosed])
    end = np.concatenate([pairs.ends, pairs.unclosed])
    start_ns = np.concatenate([paired.start_ns, left.events.ts_ns[begin]])
    end_ns = np.concatenate([paired.end_ns, left.events.ts_ns[end]])
    closed = np.ones(len(end_ns), dtype=np.bool_)
    if tail:
        closed[-tail:] = False
        end_ns[-tail:] = max(int(end_ns.max()), int(left.events.ts_ns.max()))
    group, order = nesting.ordered(np.concatenate([paired.group, left.events.group[begin]]), start_ns, end_ns)
    return OpenedSpans(
        spans=nesting.Spans(
            group,
            np.concatenate([paired.site, left.events.site[begin]])[order],
            start_ns[order],
            end_ns[order],
        ),
        tid=np.concatenate([paired.tid, left.tid[begin]])[order],
        closed=closed[order],
        carrier=np.concatenate([np.arange(count, dtype=np.int32), end + np.int32(count)])[order],
        carriers=count + len(left.tid),
        spools=(paired.spool, left.spool),
        sites=raw.sites,
        threads=raw.threads,
        threaded=raw.threaded,
    )


def write(table: OpenedSpans, allowed: Bools | None, out: Path) -> None:
    """Find parents, paths and self times, write everything to `out`. See `trace.read_trace`."""
    columns = _Columns(table, allowed)
    span_of = np.full(table.carriers, -1, dtype=np.int32)
    span_of[table.carrier] = np.arange(len(table.carrier), dtype=np.int32)
    # Parquet is encoded outside of Python: one batch is written while the next is put together.
    with pq.ParquetWriter(out, columns.schema, **_OPTIONS) as writer, ThreadPoolExecutor(1) as pool:
        written: Future[None] | None = None
        for args in (args for spool in table.spools for _, args in spool.batches()):
            mine, span_of = span_of[: len(args)], span_of[len(args) :]
            if (mine < 0).any():
                here = np.flatnonzero(mine >= 0)
                mine, args = mine[here], args.take(here)
            batch = columns.batch(mine, args)
            if written is not None:
                written.result()
            written = pool.submit(writer.write_batch, batch, row_group_size=_ROW_GROUP)
        if written is not None:
            written.result()


def join(parts: Sequence[Path], out: Path) -> None:
    """Tables of several traces one after the other; spans are numbered on, so that no id means two of them."""
    files = [pq.ParquetFile(part) for part in parts]
    first = 0
    with pq.ParquetWriter(out, files[0].schema_arrow, **_OPTIONS) as writer:
        for file in files:
            for batch in file.iter_batches(batch_size=_ROW_GROUP):
                for name in _NUMBERS:
                    at = batch.schema.get_field_index(name)
                    batch = batch.set_column(at, batch.schema.field(at), pc.add(batch.column(at), first))
                writer.write_batch(batch.cast(files[0].schema_arrow))
            first += file.metadata.num_rows


def _path_texts(known: Sequence[tuple[int, int]], sites: Sequence[Site]) -> list[str]:
    texts: list[str] = []
    for above, site in known:
        frame = safe_frame(f"{sites[site].target}::{sites[site].name}")
        texts.append(frame if above < 0 else f"{texts[above]};{frame}")
    return texts


class _Columns:
    """Arrow columns for any choice of spans, with what follows from their order: parents, paths, self times."""

    def __init__(self, table: OpenedSpans, allowed: Bools | None) -> None:
        self._table = table
        spans, sites = table.spans, table.sites
        # A thread does one thing at a time; a request need not.
        self._parent = (
            nesting.containers(spans) if table.threaded else nesting.parents(spans, len(sites), allowed)
        )
        self._root, self._self_ns = nesting.roots(self._parent), nesting.self_times(spans, self._parent)
        self._path, known, self._depth = nesting.paths(spans, self._parent)
        self._paths = texts(_path_texts(known, sites))
        self._texts = {
            name: texts([getattr(site, name) for site in sites]) for name in ("target", "name", "file")
        }
        self._lines = np.array([site.line for site in sites], dtype=np.int32)
        self._tids = np.unique(table.tid)
        self._threads = texts([table.threads.get(tid, str(tid)) for tid in self._tids.tolist()])
        self.schema = self.batch(np.zeros(0, dtype=np.int32), texts([])).schema

    def batch(self, rows: Rows, args: pa.StringArray) -> pa.RecordBatch:
        table = self._table
        site, tid, parent = table.spans.site[rows], table.tid[rows], self._parent[rows]
        start_ns = table.spans.start_ns[rows]
        line = self._lines[site]
        columns = {
            "id": numbers(rows + np.int64(1)),
            "parent": numbers(parent + np.int64(1), missing=parent == nesting.NONE),
            "root": numbers(self._root[rows] + np.int64(1)),
            "target": encoded(site, self._texts["target"]),
            "name": encoded(site, self._texts["name"]),
            "file": encoded(site, self._texts["file"], missing=line == 0),
            "line": numbers(line, missing=line == 0),
            "thread": encoded(np.searchsorted(self._tids, tid), self._threads),
            "tid": numbers(tid),
            "start_us": numbers(start_ns / 1000),
            "dur_us": numbers((table.spans.end_ns[rows] - start_ns) / 1000),
            "self_us": numbers(self._self_ns[rows] / 1000),
            "depth": numbers(self._depth[rows]),
            "path": encoded(self._path[rows], self._paths),
            "closed": numbers(table.closed[rows]),
            "args": args,
        }
        return pa.RecordBatch.from_pydict(columns)
