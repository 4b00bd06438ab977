"""Begins and ends of spans as arrays of numbers, straight from the JSON; their arguments go to a scratch file.

DuckDB does the parsing and the hashing, in batches: neither the texts nor the JSON are ever in memory at once.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fuselab.analysis.refusal import Refusal
from fuselab.analysis.span_pairs import Events, Keys, Rows
from fuselab.analysis.trace_file import TraceFile

Sites = NDArray[np.int32]
_T = TypeVar("_T", bound=np.generic)
_BATCH = 1 << 17
_LONGEST_RECORD_BYTES = 2 << 20
_SEPARATOR = "\x1f"

_KINDS = ("e", "b", "E", "B", "M")
"""Odd numbers open a span; M names a thread."""
_THREAD_NAME = 4
_FIELDS = """{ph: 'VARCHAR', ts: 'DOUBLE', name: 'VARCHAR', cat: 'VARCHAR', tid: 'INTEGER', id: 'UBIGINT',
    '.file': 'VARCHAR', '.line': 'INTEGER', args: 'VARCHAR'}"""
_LABEL = """concat_ws(chr(31), name, cat, coalesce(".file", ''), coalesce(".line", 0))"""
_SITE = """hash(name, cat, ".file", ".line")"""


def _query(files: Sequence[str], known: Iterable[int]) -> str:
    """The label is made only for places that are not `known`: a text for each of millions of rows takes long."""
    kinds = " ".join(f"when '{ph}' then {number}::tinyint" for number, ph in enumerate(_KINDS))
    return f"""
    select kind, "group", tid, ts_ns, site, hash("group", site, args) as key, args,
           case when kind % 2 = 1 and site not in {(*known, 0)} then {_LABEL} end as label
    from (select case ph {kinds} end as kind, tid, args, round(ts * 1000)::bigint as ts_ns, {_SITE} as site,
                 case when ph in ('b', 'e') then id else tid::ubigint end as "group", name, cat, ".file", ".line"
          from read_json({files}, format = 'array', maximum_object_size = {_LONGEST_RECORD_BYTES}, columns = {_FIELDS})
          where ph in {_KINDS})"""


@dataclass(frozen=True)
class Site:
    """The place of a span in the program. Without locations in the trace, file is empty and line 0."""

    name: str
    target: str
    file: str
    line: int


@dataclass(frozen=True)
class Spool:
    """The arguments (JSON text) of events, in an Arrow IPC stream on disk."""

    path: Path

    def batches(self) -> Iterator[tuple[int, pa.StringArray]]:
        """(number of the first event, arguments)."""
        first = 0
        with pa.OSFile(str(self.path), "rb") as file, pa.ipc.open_stream(file) as reader:
            for batch in reader:
                yield first, cast("pa.StringArray", batch.column(0))
                first += len(batch)


@dataclass(frozen=True)
class RawEvents:
    """Begins and ends of spans in no particular order."""

    events: Events
    tid: Sites
    sites: Sequence[Site]
    threads: dict[int, str]
    threaded: bool
    spool: Spool
    """Arguments of each event, in the order of the arrays."""

    def first_arguments(self, rows: Rows) -> Keys:
        """Hashes of the arguments of `rows` without those that a place has at its ends only.

        Such late arguments are removed with a JSON merge patch (RFC 7396: null removes a key).
        """
        import duckdb

        order = np.sort(rows)
        keys = np.zeros(len(order), dtype=np.uint64)
        seen: set[tuple[int, bool, str]] = set()
        with duckdb.connect() as connection:
            for _, late in self._late(order):
                connection.register("late", late)
                seen.update(connection.sql(_FIELDS_SEEN).fetchall())
            patches = _patches(seen, len(self.sites))
            for first, late in self._late(order):
                connection.register("late", late.append_column("patch", patches.take(late["site"])))
                keys[first : first + len(late)] = connection.sql(_PATCHED).fetchnumpy()["key"]
        found: Keys = keys[np.searchsorted(order, rows)]
        return found

    def _late(self, order: Rows) -> Iterator[tuple[int, pa.Table]]:
        """(position in `order`, place and arguments of some events) in order."""
        for first, args in self.spool.batches():
            low, high = np.searchsorted(order, [first, first + len(args)])
            rows = order[low:high]
            if len(rows):
                sites, opens = self.events.site[rows], self.events.opens[rows]
                columns: dict[str, Any] = {
                    "site": pa.array(sites),
                    "opens": pa.array(opens),
                    "args": args.take(rows - first),
                }
                yield int(low), pa.table(columns)


_FIELDS_SEEN = "select distinct site, opens, unnest(json_keys(coalesce(args, '{}'))) from late"
_PATCHED = (
    "select hash(coalesce(if(patch is null, args, json_merge_patch(args, patch)), '{}')) as key from late"
)


def _patches(seen: set[tuple[int, bool, str]], sites: int) -> pa.StringArray:
    """For each place: the merge patch that removes its late arguments, null if it has none."""
    late: list[dict[str, None]] = [{} for _ in range(sites)]
    for site, opens, field_name in seen:
        if not opens and (site, True, field_name) not in seen:
            late[site][field_name] = None
    return pa.array([json.dumps(fields) if fields else None for fields in late], pa.string())


class _Column(Generic[_T]):
    """An array that grows in place. A list of small parts would leave their room behind in the heap."""

    def __init__(self, kind: type[_T]) -> None:
        self._data: NDArray[_T] = np.empty(1 << 19, dtype=kind)
        self._length = 0

    def extend(self, values: NDArray[Any]) -> None:
        length = self._length + len(values)
        while length > len(self._data):
            self._data.resize(len(self._data) + (1 << 19), refcheck=False)
        self._data[self._length : length] = values
        self._length = length

    def array(self) -> NDArray[_T]:
        """The whole column; it must not be extended any more."""
        self._data.resize(self._length, refcheck=False)
        return self._data


@dataclass
class _Collected:
    """What the batches bring."""

    labels: dict[int, str] = field(default_factory=dict)
    """Hash of a place -> its texts."""
    numbers: dict[int, int] = field(default_factory=dict)
    """Hash of a place -> its number."""
    threads: dict[int, str] = field(default_factory=dict)
    threaded: bool = False
    group: _Column[np.uint64] = field(default_factory=lambda: _Column(np.uint64))
    site: _Column[np.int32] = field(default_factory=lambda: _Column(np.int32))
    key: _Column[np.uint64] = field(default_factory=lambda: _Column(np.uint64))
    ts_ns: _Column[np.int64] = field(default_factory=lambda: _Column(np.int64))
    opens: _Column[np.bool_] = field(default_factory=lambda: _Column(np.bool_))
    tid: _Column[np.int32] = field(default_factory=lambda: _Column(np.int32))


def read_events(trace: TraceFile, scratch: Path, memory: str) -> RawEvents:
    """Parse a trace. Raises Refusal where it is no JSON, with DuckDB's own words."""
    import duckdb

    spool = scratch / "arguments.arrow"
    collected = _Collected()
    settings: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": memory,
        "temp_directory": str(scratch),
        "preserve_insertion_order": "false",
    }
    with (
        duckdb.connect(config=settings) as connection,
        pa.OSFile(str(spool), "wb") as sink,
        pa.ipc.new_stream(sink, pa.schema([("args", pa.string())])) as writer,
    ):
        try:
            for files in trace.slices():
                for batch in connection.sql(_query(files, collected.labels)).to_arrow_reader(_BATCH):
                    writer.write_batch(_collect(collected, batch))
        except duckdb.Error as error:
            raise Refusal(
                f"The trace is no valid JSON: {str(error).splitlines()[0][:300]}",
                "Write it with tracing-chrome, and leave arguments of more than 2 MB out of the spans.",
            ) from None
    return _raw(collected, spool)


def _collect(collected: _Collected, batch: pa.RecordBatch) -> pa.RecordBatch:
    """Take the numbers of a batch; what remains, for the spool, are the arguments of its begins and ends."""
    kind = batch["kind"].to_numpy()
    if (kind == _THREAD_NAME).any():
        for row in np.flatnonzero(kind == _THREAD_NAME).tolist():
            name = json.loads(batch["args"][row].as_py() or "{}").get("name")
            collected.threads[batch["tid"][row].as_py()] = str(name)
        keep = np.flatnonzero(kind != _THREAD_NAME)
        batch, kind = batch.take(keep), kind[keep]
    if batch["label"].null_count < len(batch):
        for row in np.flatnonzero(batch["label"].is_valid().to_numpy(zero_copy_only=False)).tolist():
            collected.labels[batch["site"][row].as_py()] = batch["label"][row].as_py()
    encoded = batch["site"].dictionary_encode()
    numbers = [
        collected.numbers.setdefault(value, len(collected.numbers))
        for value in cast("list[int]", encoded.dictionary.to_pylist())
    ]
    collected.site.extend(np.array(numbers, dtype=np.int32)[encoded.indices.to_numpy()])
    collected.group.extend(batch["group"].fill_null(0).to_numpy())
    collected.key.extend(batch["key"].to_numpy())
    collected.ts_ns.extend(batch["ts_ns"].to_numpy())
    collected.tid.extend(batch["tid"].fill_null(0).to_numpy())
    collected.opens.extend(kind % 2 == 1)
    collected.threaded |= bool((kind >= 2).any())
    return pa.RecordBatch.from_arrays([batch["args"]], names=["args"])


def _raw(collected: _Collected, spool: Path) -> RawEvents:
    sites = []
    for value in collected.numbers:
        # A place with ends only (a trace without its start) has no label, and no span.
        name, target, file, line = collected.labels.get(value, _SEPARATOR * 2 + _SEPARATOR + "0").split(
            _SEPARATOR
        )
        sites.append(Site(name, target, file, int(line)))
    return RawEvents(
        events=Events(
            group=collected.group.array(),
            site=collected.site.array(),
            key=collected.key.array(),
            ts_ns=collected.ts_ns.array(),
            opens=collected.opens.array(),
        ),
        tid=collected.tid.array(),
        sites=tuple(sites),
        threads=collected.threads,
        threaded=collected.threaded,
        spool=Spool(spool),
    )
