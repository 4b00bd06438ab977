"""Poll time from tracing-flame: one line for each enter and exit of a span, `thread; frame; frame NS`.

A frame is `module::name:file:line`. The value is the time since the last event on that thread, so a line of the
thread alone is time outside every span; it is not poll time and is kept apart.

Known trap: when a thread enters a span whose parent it has not entered itself (the work was spawned elsewhere),
the time since its last event, idle time included, is charged to the parent. The account caps poll time at wall
time and shows the excess.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

from fuselab import foreign
from fuselab.analysis.folded import Folded, Share, functions, renamed, safe_frame
from fuselab.analysis.symbols.labels import thread_frame
from fuselab.errors import ProfileError

POLL_UNIT = "ns of poll time"
_LOCATED = re.compile(r":[^:;]+:\d+$")
_FRAME = re.compile(r"^(?P<path>.*?):(?P<file>[^:;]+):(?P<line>\d+)$")
_FLUSHED = (
    "The program must drop tracing-flame's guard: let it leave through `main` after SIGINT or SIGTERM, without "
    "process::exit. RUST_LOG must let its spans through (`<target>=trace`)."
)


@dataclass(frozen=True)
class Location:
    """Where a span is opened, as tracing-flame writes it: the path ends in the span's name."""

    path: str
    file: str
    line: int


@dataclass(frozen=True)
class Edge:
    """One place directly inside another, as tracing-flame's stacks show it."""

    parent: Location
    child: Location


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
    """The last line of a file is not whole: the program did not finish it."""
    unreadable: int = 0
    """Lines that are no folded ones."""
    empty: tuple[str, ...] = ()
    """Files of 0 bytes beside others."""

    def notes(self) -> tuple[str, ...]:
        said: list[str] = []
        if self.cut:
            said.append(
                "The recording was cut short and read up to the cut: the program did not finish its file."
            )
        if self.unreadable:
            said.append(f"{self.unreadable} lines of the recording are no folded stacks, and were left out.")
        return (*said, *(f"{name} has 0 bytes: it was never flushed." for name in self.empty))


def read_flame(*recordings: Path) -> Flame:
    """Aggregate what one capture left, in one pass and in the memory that its different stacks need.

    Raises ProfileError where all files are empty, none holds a folded line, or none names a span, with what to change.
    """
    names = ", ".join(path.name for path in recordings)
    empty = tuple(path.name for path in recordings if path.stat().st_size == 0)
    if len(empty) == len(recordings):
        raise ProfileError(
            f"The recording {names} has 0 bytes: it was never flushed, or no span came through.", _FLUSHED
        )
    raw: Counter[bytes] = Counter()
    cut, unreadable = map(sum, zip(*(_read_lines(path, raw) for path in recordings), strict=True))
    if not raw:
        raise ProfileError(f"{names} holds no folded line.", "Write it with tracing-flame.")
    sums: Counter[str] = Counter()
    for line, value in raw.items():
        sums[foreign.name(line.decode(errors="replace"))] += value
    located = any(_LOCATED.search(stack) for stack in sums)
    stacks: Counter[tuple[str, ...]] = Counter()
    outside_ns = 0
    for text, value in sums.items():
        thread, *frames = _split(text, located)
        if frames:
            stacks[thread_frame(thread), *frames] += value
        else:
            outside_ns += value
    if not stacks:
        raise ProfileError(
            f"{names} has no span in it: the log filter lets none through.",
            "Set RUST_LOG to the level of the spans (`<target>=trace`).",
        )
    whole = Folded(dict(stacks), POLL_UNIT)
    shares = functions(whole)
    at = {frame: parse_frame(frame) for _, *frames in stacks for frame in frames}
    inside = {pair for _, *frames in stacks for pair in pairwise(frames)} if located else set()
    return Flame(
        folded=renamed(whole, {frame: safe_frame(place.path) for frame, place in at.items()}),
        frames=tuple(_frame(place, shares[frame]) for frame, place in sorted(at.items())),
        edges=frozenset(Edge(at[parent], at[child]) for parent, child in inside),
        outside_ns=outside_ns,
        cut=cut > 0,
        unreadable=unreadable,
        empty=empty,
    )


def _frame(at: Location, share: Share) -> FlameFrame:
    name = at.path.rpartition("::")[2]
    return FlameFrame(at.path, name, at.file, at.line, share.self_value, share.total_value)


def write_frames(path: Path, frames: Sequence[FlameFrame]) -> None:
    """The frames as Parquet, columns as the fields of FlameFrame."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.Table.from_pylist([asdict(frame) for frame in frames]), path)


def parse_frame(frame: str) -> Location:
    """`module::name:file:line` -> place; line 0 and no file if there is no location."""
    found = _FRAME.match(frame)
    if found is None:
        return Location(frame, "", 0)
    return Location(found["path"], found["file"], int(found["line"]))


def _read_lines(recording: Path, sums: Counter[bytes]) -> tuple[int, int]:
    """Add up a recording by the text of stacks: it has a line for every enter and exit, but few different stacks.

    Returns how many lines are cut (at most the last), and how many are no folded ones. Bytes, not text: a line ends at
    its line break alone, and may be as long and strange as it likes.
    """
    cut = unreadable = 0
    with recording.open("rb") as file:
        for line in file:
            stack, _, value = line.rpartition(b" ")
            number = value[:-1]
            if value[-1:] != b"\n":
                cut += 1  # its number may have lost its last digits
            elif stack and number.isdigit():
                sums[stack] += int(number)
            else:
                unreadable += bool(line.strip())
    return cut, unreadable


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
