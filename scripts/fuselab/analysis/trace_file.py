"""The raw file of tracing-chrome: `[`, one JSON object a line joined by `,` and a line break, `]`.

DuckDB reads one JSON array on one thread, so the file is laid out as several arrays, cut at line borders, in
a scratch folder: then all processors parse. The same cut drops the broken tail of a file that a crash left.
The slices take as much room as the trace while it is read.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fuselab.analysis.refusal import Refusal

_TAIL_BYTES = 8 << 20
"""A record cut in the middle is looked for this far from the end."""
_SLICE_BYTES = 32 << 20
_MOST_SLICES = 16
_FIRST_BYTES = 2 << 20
"""The first slice is small: readers that need to learn what there is look at it alone."""
NOT_FINISHED = (
    "The program must drop tracing-chrome's guard: let it leave through `main` after SIGINT or SIGTERM, "
    "without process::exit, and give it time to stop."
)


@dataclass(frozen=True)
class Slices:
    """JSON arrays that together hold every whole record of a trace."""

    files: tuple[Path, ...]
    cut: bool
    """The closing bracket is missing: the program did not finish the file."""


@dataclass(frozen=True)
class _Extent:
    start: int
    end: int
    cut: bool


@contextmanager
def sliced(trace: Path, scratch: Path) -> Iterator[Slices]:
    """Lay out `trace` below `scratch`; the slices are removed on leaving.

    Raises Refusal for a file of 0 bytes, one that is no JSON array, and one that holds no whole record.
    """
    files: list[Path] = []
    try:
        with trace.open("rb") as source:
            extent = _extent(source.fileno(), trace)
            for number, (start, end) in enumerate(_borders(source.fileno(), extent)):
                files.append(scratch / f"slice-{number}.json")
                _copy(source.fileno(), start, end, files[-1])
        yield Slices(tuple(files), extent.cut)
    finally:
        for path in files:
            path.unlink(missing_ok=True)


def _extent(fd: int, trace: Path) -> _Extent:
    size = os.fstat(fd).st_size
    if size == 0:
        raise Refusal(f"The trace {trace.name} has 0 bytes: it was never flushed.", NOT_FINISHED)
    head = os.pread(fd, 1024, 0)
    start = len(head) - len(head.lstrip())
    if head[start : start + 1] != b"[":
        raise Refusal(f"{trace.name} does not begin as a Chrome trace does.", "Write it with tracing-chrome.")
    start += 1
    base = max(start, size - _TAIL_BYTES)
    tail = os.pread(fd, size - base, base)
    body = tail.rstrip()
    finished = body.endswith(b"]") and body[:-1].rstrip()[-1:] in (b"}", b"[", b"")
    end = base + (len(body[:-1].rstrip()) if finished else _whole(tail))
    if end <= start:
        if finished:
            raise Refusal(
                f"The trace {trace.name} has no event: the log filter lets no span through.",
                "Set RUST_LOG to the level of the spans (`<target>=trace`).",
            )
        raise Refusal(f"The trace {trace.name} was cut before its first whole record.", NOT_FINISHED)
    return _Extent(start, end, not finished)


def _whole(tail: bytes) -> int:
    """Length of the part of a cut tail that holds whole records."""
    border = tail.rfind(b",\n")
    last = tail[border + 2 :] if border >= 0 else tail
    try:
        json.loads(last)
    except ValueError:
        return max(border, 0)
    return len(tail.rstrip())


def _borders(fd: int, extent: _Extent) -> Iterator[tuple[int, int]]:
    """(start, end) of each slice, without the comma between one and the next."""
    length = extent.end - extent.start
    count = min(_MOST_SLICES, max(1, length // _SLICE_BYTES))
    wanted = [extent.start + _FIRST_BYTES, *(extent.start + length * n // count for n in range(1, count))]
    start = extent.start
    for offset in wanted:
        border = _next_comma(fd, offset, extent.end)
        if start < border < extent.end:
            yield start, border
            start = border + 2
    yield start, extent.end


def _next_comma(fd: int, offset: int, end: int) -> int:
    """Where the line that `offset` lies in ends: at its comma. A line break never stands inside a record."""
    while offset < end:
        chunk = os.pread(fd, min(1 << 16, end - offset), offset)
        found = chunk.find(b",\n")
        if found >= 0:
            return offset + found
        offset += max(1, len(chunk) - 1)
    return end


def _copy(source: int, start: int, end: int, path: Path) -> None:
    with path.open("wb", buffering=0) as out:
        out.write(b"[")
        while start < end:
            start += os.sendfile(out.fileno(), source, start, end - start)
        out.write(b"]")
