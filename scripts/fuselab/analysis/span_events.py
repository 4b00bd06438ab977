"""Begins and ends of spans as arrays of numbers, straight from the JSON; their arguments go to a scratch file.

DuckDB does the parsing and the hashing, in batches: neither the texts nor the JSON are ever in memory at once.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fuselab.analysis.refusal import Refusal
from fuselab.analysis.span_pairs import Bools, Events, Ints, Keys

Sites = NDArray[np.int32]
_T = TypeVar("_T", bound=np.generic)
_BATCH = 1 << 17
_LONGEST_RECORD_BYTES = 4 << 20
_SEPARATOR = "\x1f"

_KINDS = ("e", "b", "E", "B", "M")
"""Odd numbers open a span; M names a thread."""
_THREAD_NAME = 4
_FIELDS = """{ph: 'VARCHAR', ts: 'DOUBLE', name: 'VARCHAR', cat: 'VARCHAR', tid: 'INTEGER', id: 'UBIGINT',
    '.file': 'VARCHAR', '.line': 'INTEGER', args: 'VARCHAR'}"""
_LABEL = """concat_ws(chr(31), name, cat, coalesce(".file", ''), coalesce(".line", 0))"""
_SITE = """hash(name, cat, ".file", ".line")"""


def _table(files: Sequence[Path]) -> str:
    names = [str(path) for path in files]
    longest = f"maximum_object_size = {_LONGEST_RECORD_BYTES}"
    return f"read_json({names}, format = 'array', {longest}, columns = {_FIELDS})"


def _known_query(file: Path) -> str:
    return (
        f"select {_SITE}, any_value({_LABEL}) from {_table([file])} where ph in ('b', 'B') group by {_SITE}"
    )


def _query(files: Sequence[Path], known: Iterable[int]) -> str:
    """The label is made only for places that are not `known`: a text for each of millions of rows takes long."""
    kinds = " ".join(f"when '{ph}' then {number}::tinyint" for number, ph in enumerate(_KINDS))
    return f"""
    select kind, "group", tid, ts_ns, site, hash("group", site, args) as key, args,
           case when kind % 2 = 1 and site not in {(*known, 0)} then {_LABEL} end as label
    from (select case ph {kinds} end as kind, tid, args, round(ts * 1000)::bigint as ts_ns, {_SITE} as site,
                 case when ph in ('b', 'e') then id else tid::ubigint end as "group", name, cat, ".file", ".line"
          from {_table(files)} where ph in {_KINDS})"""


@dataclass(frozen=True)
class Site:
    """The place of a span in the program. Without locations in the trace, file is empty and line 0."""

    name: str
    target: str
    file: str
    line: int


@dataclass(frozen=True)
class RawEvents:
    """Begins and ends of spans in no particular order."""

    events: Events
    tid: Sites
    sites: Sequence[Site]
    threads: dict[int, str]
    threaded: bool
    spool: Path
    """Arrow IPC file with the arguments (JSON text) of each event, in the order of the arrays."""

    def dense_groups(self) -> Ints:
        """The group of each event as a number from 0 on, in the order in which the groups began."""
        encoded = pa.array(self.events.group).dictionary_encode()
        number = encoded.indices.to_numpy()
        began_ns = np.full(len(encoded.dictionary), np.iinfo(np.int64).max)
        np.minimum.at(began_ns, number, self.events.ts_ns)
        rank = np.empty_like(began_ns)
        rank[np.argsort(began_ns, kind="stable")] = np.arange(len(rank))
        dense: Ints = rank[number]
        return dense

    def arguments(self) -> Iterator[tuple[int, pa.StringArray]]:
        """(number of the first event, arguments) batch by batch."""
        first = 0
        with pa.OSFile(str(self.spool)) as file, pa.ipc.open_stream(file) as reader:
            for batch in reader:
                yield first, batch.column(0)
                first += len(batch)

    def first_arguments(self, rows: Ints) -> Keys:
        """Hashes of the arguments of `rows` without those that a place has at its ends only.

        Such late arguments are removed with a JSON merge patch (RFC 7396: null removes a key).
        """
        import duckdb

        order = np.sort(rows)
        parts = []
        for first, args in self.arguments():
            low, high = np.searchsorted(order, [first, first + len(args)])
            parts.append(args.take(order[low:high] - first))
        table = pa.table(
            {
                "row": order,
                "site": self.events.site[order],
                "opens": self.events.opens[order],
                "args": pa.chunked_array(parts, pa.string()),
            }
        )
        with duckdb.connect() as connection:
            connection.register("late", table)
            hashes = connection.sql(_FIRST_ARGUMENTS).fetchnumpy()
        found = np.zeros(len(self.events.ts_ns), dtype=np.uint64)
        found[hashes["row"]] = hashes["key"]
        keys: Keys = found[rows]
        return keys


_FIRST_ARGUMENTS = """
with seen as (select distinct site, opens, unnest(json_keys(coalesce(args, '{}'))) as field from late),
patch as (
    select site, to_json(map_from_entries(list((field, null::varchar)))) as patch
    from (select site, field from seen group by all having not bool_or(opens)) group by site)
select row, hash(coalesce(case when patch is null then args else json_merge_patch(args, patch) end, '{}')) as key
from late left join patch using (site)
"""


@dataclass
class _Collected:
    """What the batches bring, as lists of arrays."""

    group: list[Keys] = field(default_factory=list)
    site: list[Sites] = field(default_factory=list)
    key: list[Keys] = field(default_factory=list)
    ts_ns: list[Ints] = field(default_factory=list)
    opens: list[Bools] = field(default_factory=list)
    tid: list[Sites] = field(default_factory=list)
    threads: dict[int, str] = field(default_factory=dict)
    numbers: dict[int, int] = field(default_factory=dict)
    """Hash of a place -> its number."""
    labels: dict[int, str] = field(default_factory=dict)
    threaded: bool = False


def read_events(files: Sequence[Path], scratch: Path, memory: str) -> RawEvents:
    """Parse JSON arrays of trace events. Raises Refusal where they are no JSON, with DuckDB's own words."""
    import duckdb

    spool = scratch / "arguments.arrow"
    settings = {"memory_limit": memory, "temp_directory": str(scratch), "preserve_insertion_order": "false"}
    with (
        duckdb.connect(config=settings) as connection,
        pa.OSFile(str(spool), "wb") as sink,
        pa.ipc.new_stream(sink, pa.schema([("args", pa.string())])) as writer,
    ):
        try:
            # Texts of places are asked for only where the first slice has not shown the place already.
            known = dict(connection.sql(_known_query(files[0])).fetchall())
            collected = _Collected(labels=known)
            for batch in connection.sql(_query(files, known)).to_arrow_reader(_BATCH):
                writer.write_batch(_collect(collected, batch))
        except duckdb.Error as error:
            raise Refusal(
                f"The trace is no valid JSON: {str(error).splitlines()[0][:300]}",
                "Write it with tracing-chrome, and leave arguments of more than 4 MB out of the spans.",
            ) from None
    return _raw(collected, spool)


def _collect(collected: _Collected, batch: pa.RecordBatch) -> pa.RecordBatch:
    """Take the numbers of a batch; what remains, for the spool, are the arguments of its begins and ends."""
    kind = batch["kind"].to_numpy()
    if (kind == _THREAD_NAME).any():
        for row in np.flatnonzero(kind == _THREAD_NAME):
            name = json.loads(batch["args"][row].as_py() or "{}").get("name")
            collected.threads[batch["tid"][row].as_py()] = str(name)
        keep = np.flatnonzero(kind != _THREAD_NAME)
        batch, kind = batch.take(pa.array(keep)), kind[keep]
    if batch["label"].null_count < len(batch):
        for row in np.flatnonzero(batch["label"].is_valid().to_numpy(zero_copy_only=False)):
            collected.labels[batch["site"][row].as_py()] = batch["label"][row].as_py()
    encoded = batch["site"].dictionary_encode()
    numbers = [
        collected.numbers.setdefault(value, len(collected.numbers))
        for value in encoded.dictionary.to_pylist()
    ]
    collected.site.append(np.array(numbers, dtype=np.int32)[encoded.indices.to_numpy()])
    # Copies, because a view of one column would keep the whole batch in memory.
    collected.group.append(batch["group"].fill_null(0).to_numpy().copy())
    collected.key.append(batch["key"].to_numpy().copy())
    collected.ts_ns.append(batch["ts_ns"].to_numpy().copy())
    collected.tid.append(batch["tid"].fill_null(0).to_numpy().copy())
    collected.opens.append(kind % 2 == 1)
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
            group=_joined(collected.group, np.uint64),
            site=_joined(collected.site, np.int32),
            key=_joined(collected.key, np.uint64),
            ts_ns=_joined(collected.ts_ns, np.int64),
            opens=_joined(collected.opens, np.bool_),
        ),
        tid=_joined(collected.tid, np.int32),
        sites=tuple(sites),
        threads=collected.threads,
        threaded=collected.threaded,
        spool=spool,
    )


def _joined(parts: list[NDArray[_T]], kind: type[_T]) -> NDArray[_T]:
    """One array; the parts are let go, so that they are not in memory twice."""
    whole = np.concatenate(parts) if parts else np.zeros(0, dtype=kind)
    parts.clear()
    return whole
