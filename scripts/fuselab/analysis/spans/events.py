"""What fuselab-spans (tools/spans, installed by `make setup`) makes of a trace: columns of numbers in files.

It parses the JSON on all processors and pairs nearly all begins and ends while they go by; what it cannot tell is
left as events for `pairs`. Arguments, the only large part, stay on disk and are read in batches.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import DTypeLike, NDArray

from fuselab import foreign
from fuselab.analysis.columns import Ints, Keys, Rows, Sites, joined, numbers, texts
from fuselab.analysis.spans.pairs import Events
from fuselab.errors import ProfileError
from fuselab.programs import tool

_BATCH = 1 << 17


@dataclass(frozen=True)
class Site:
    """The place of a span in the program. Without locations in the trace, file is empty and line 0."""

    name: str
    target: str
    file: str
    line: int


@dataclass(frozen=True)
class Spool:
    """Arguments (JSON text, null where there are none) on disk: the texts end to end, and where each ends."""

    texts: Path
    ends: Path

    def batches(self) -> Iterator[tuple[int, pa.StringArray]]:
        """(number of the first row, arguments)."""
        first, start = 0, 0
        with self.texts.open("rb") as lying, self.ends.open("rb") as file:
            while len(ends := np.fromfile(file, dtype=np.int64, count=_BATCH)):
                empty = np.diff(ends, prepend=start) == 0
                data = lying.read(int(ends[-1]) - start)
                yield first, joined(data, (ends - start).astype(np.int32), empty)
                first, start = first + len(ends), int(ends[-1])


@dataclass(frozen=True)
class PairedSpans:
    """Spans whose begin and end are known, in the order of their ends. One entry per span."""

    group: Keys
    """Root span id (async style) or thread (threaded style)."""
    site: Sites
    tid: Sites
    """Where it was opened."""
    start_ns: Ints
    end_ns: Ints
    spool: Spool
    """Arguments of the ends."""


@dataclass(frozen=True)
class LeftEvents:
    """Begins and ends whose partners are not known."""

    events: Events
    tid: Sites
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
            patches = _patches(seen, int(self.events.site.max(initial=-1)) + 1)
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
                    "site": numbers(sites),
                    "opens": numbers(opens),
                    "args": args.take(numbers(rows - first)),
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
    return texts([json.dumps(fields) if fields else None for fields in late])


@dataclass(frozen=True)
class RawSpans:
    """A whole trace."""

    paired: PairedSpans
    left: LeftEvents
    sites: Sequence[Site]
    threads: Mapping[int, str]
    """Names by tid."""
    threaded: bool


def read_events(trace: Path, slices: Iterable[tuple[int, int]], scratch: Path) -> RawSpans:
    """Parse the slices of a trace into files in `scratch`.

    Raises ProfileError where it is no JSON, with the parser's own words.
    """
    done = subprocess.run(
        [tool("fuselab-spans"), str(trace), str(scratch)],
        input="".join(f"{start} {end}\n" for start, end in slices),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise ProfileError(
            f"The trace {trace.name} is no valid JSON: {done.stderr.strip()[:300]}",
            "Write it with tracing-chrome.",
        )
    meanings = json.loads(done.stdout)
    place, time = np.int32, np.int64
    paired = _columns(scratch, "spans", group=np.uint64, site=place, tid=place, start_ns=time, end_ns=time)
    events = _columns(scratch, "left", group=np.uint64, site=place, key=np.uint64, ts_ns=time, opens=np.bool_)
    tids = _columns(scratch, "left", tid=place)
    return RawSpans(
        paired=PairedSpans(**paired, spool=_spool(scratch, "spans")),
        left=LeftEvents(Events(**events), **tids, spool=_spool(scratch, "left")),
        sites=tuple(
            Site(
                foreign.name(site["name"]),
                foreign.name(site["target"]),
                foreign.name(site["file"]),
                site["line"],
            )
            for site in meanings["sites"]
        ),
        threads={int(tid): foreign.name(name) for tid, name in meanings["threads"].items()},
        threaded=meanings["threaded"],
    )


def _columns(folder: Path, kind: str, **types: DTypeLike) -> dict[str, NDArray[Any]]:
    return {name: np.fromfile(folder / f"{kind}.{name}", dtype=type_) for name, type_ in types.items()}


def _spool(folder: Path, kind: str) -> Spool:
    return Spool(folder / f"{kind}.args", folder / f"{kind}.args_end")
