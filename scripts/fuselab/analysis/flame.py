"""Poll time from tracing-flame: one line for each enter and exit of a span, `thread; frame; frame NS`.

A frame is `module::name:file:line`. The value is the time since the last event on that thread, so a line of the
thread alone is time outside every span; it is not poll time and is kept apart.

Known trap: when a thread enters a span whose parent it has not entered itself (the work was spawned elsewhere),
the time since its last event, idle time included, is charged to the parent. `blindspots` caps poll time at wall
time and shows the excess.
"""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from itertools import pairwise
from pathlib import Path

from fuselab.analysis.folded import Folded, safe_frame
from fuselab.analysis.refusal import Refusal
from fuselab.analysis.spans import Edge, Place
from fuselab.analysis.stacks import thread_frame

POLL_UNIT = "ns of poll time"
_LOCATED = re.compile(r":[^:;]+:\d+$")
_FRAME = re.compile(r"^(?P<path>.*?):(?P<file>[^:;]+):(?P<line>\d+)$")
_THREAD_ID = re.compile(r"^ThreadId\(\d+\)-")
_FLUSHED = (
    "The program must drop tracing-flame's guard: let it leave through `main` after SIGINT or SIGTERM, without "
    "process::exit. RUST_LOG must let its spans through (`<target>=trace`)."
)
_TAIL_BYTES = 1 << 16


@dataclass(frozen=True)
class FlameFrame:
    """One span as tracing-flame names it."""

    path: str
    """`module::name`, or the name alone."""
    name: str
    file: str
    line: int
    """0 if the layer writes no locations."""
    self_ns: int
    """Lines that end in it: time a thread spent in the span and in no other below it."""
    total_ns: int


@dataclass(frozen=True)
class Flame:
    """What one recording holds."""

    folded: Folded
    """Pool of threads; `module::name`; ... without locations, ns. Time outside every span is left out."""
    frames: tuple[FlameFrame, ...]
    edges: frozenset[Edge]
    """Spans directly inside others; empty if the layer writes no locations."""
    outside_ns: int
    """Time of threads outside every span, idle or not."""
    cut: bool
    """The last line is not whole: the program did not finish the file."""

    def notes(self) -> tuple[str, ...]:
        if self.cut:
            return (
                "The recording was cut short and read up to the cut: the program did not finish its file.",
            )
        return ()


def read_flame(recording: Path) -> Flame:
    """Aggregate a recording in one pass, in the memory that its different stacks need.

    Raises Refusal for a file that is empty, holds no folded line, or names no span, with what to change.
    """
    if recording.stat().st_size == 0:
        raise Refusal(
            f"The recording {recording.name} has 0 bytes: it was never flushed, or no span came through.",
            _FLUSHED,
        )
    sums = _aggregated(recording)
    partial = _partial_line(recording)
    if partial:
        _take_back(sums, partial)
    if not sums:
        raise Refusal(f"{recording.name} holds no folded line.", "Write it with tracing-flame.")
    located = any(_LOCATED.search(stack) for stack in sums)
    stacks: Counter[tuple[str, ...]] = Counter()
    outside_ns = 0
    for text, value in sums.items():
        thread, *frames = _split(text, located)
        if frames:
            stacks[thread_frame(_THREAD_ID.sub("", thread)), *frames] += value
        else:
            outside_ns += value
    if not stacks:
        raise Refusal(
            f"{recording.name} has no span in it: the log filter lets none through.",
            "Set RUST_LOG to the level of the spans (`<target>=trace`).",
        )
    return Flame(
        folded=_named(stacks),
        frames=_frames(stacks),
        edges=frozenset(_edges(stacks)) if located else frozenset(),
        outside_ns=outside_ns,
        cut=bool(partial),
    )


def write_frames(path: Path, frames: Sequence[FlameFrame]) -> None:
    """The frames as Parquet, columns as the fields of FlameFrame."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = zip(*map(astuple, frames), strict=True)
    names = [field.name for field in fields(FlameFrame)]
    pq.write_table(pa.table(dict(zip(names, map(list, columns), strict=True))), path)


def parse_frame(frame: str) -> Place:
    """`module::name:file:line` -> place; line 0 and no file if there is no location."""
    found = _FRAME.match(frame)
    if found is None:
        return Place(frame, "", 0)
    return Place(found["path"], found["file"], int(found["line"]))


def _aggregated(recording: Path) -> dict[str, int]:
    """Stack text -> ns, by DuckDB: a recording has a line for every enter and exit, but few different stacks."""
    import duckdb

    query = """
    select part.stack, sum(part.ns::bigint)::bigint
    from (select regexp_extract(line, '^(.*) ([0-9]+)$', ['stack', 'ns']) as part
          from read_csv($path, columns = {'line': 'VARCHAR'}, delim = chr(1), quote = '', escape = '', header = false,
                        auto_detect = false, ignore_errors = true, max_line_size = 1048576))
    where part.ns <> '' group by part.stack"""
    with duckdb.connect(config={"memory_limit": "256MB"}) as connection:
        return dict(connection.execute(query, {"path": str(recording)}).fetchall())


def _partial_line(recording: Path) -> str:
    """The end of the file after its last line break."""
    with recording.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _TAIL_BYTES))
        return file.read().rpartition(b"\n")[2].decode("utf-8", "replace")


def _take_back(sums: dict[str, int], partial: str) -> None:
    """Undo what a cut line has added: its number may have lost its last digits."""
    stack, _, value = partial.rpartition(" ")
    if stack in sums and value.isdigit():
        sums[stack] -= int(value)
        if sums[stack] == 0:
            del sums[stack]


def _split(stack: str, located: bool) -> list[str]:
    """Thread and frames. A `;` inside a span's name splits it; the pieces lack the location, so they are rejoined."""
    thread, *pieces = stack.split("; ") if "; " in stack else stack.split(";")
    if not located:
        return [thread, *pieces]
    frames: list[str] = []
    pending: list[str] = []
    for piece in pieces:
        pending.append(piece)
        if _LOCATED.search(piece):
            frames.append("; ".join(pending))
            pending = []
    return [thread, *frames, *pending]


def _named(stacks: Mapping[tuple[str, ...], int]) -> Folded:
    named: Counter[tuple[str, ...]] = Counter()
    for (thread, *frames), value in stacks.items():
        named[thread, *(safe_frame(parse_frame(frame).path) for frame in frames)] += value
    return Folded(dict(named), POLL_UNIT)


def _frames(stacks: Mapping[tuple[str, ...], int]) -> tuple[FlameFrame, ...]:
    own: defaultdict[str, int] = defaultdict(int)
    total: defaultdict[str, int] = defaultdict(int)
    for (_, *frames), value in stacks.items():
        own[frames[-1]] += value
        for frame in set(frames):
            total[frame] += value
    places = {frame: parse_frame(frame) for frame in total}
    return tuple(
        FlameFrame(p.path, p.path.rpartition("::")[2], p.file, p.line, own[frame], total[frame])
        for frame, p in sorted(places.items())
    )


def _edges(stacks: Iterable[tuple[str, ...]]) -> Iterable[Edge]:
    for _, *frames in stacks:
        for parent, child in pairwise(frames):
            yield Edge(parse_frame(parent), parse_frame(child))
