"""The raw file of tracing-chrome: `[`, one JSON object a line joined by `,` and a line break, `]`.

A trace is cut at line borders into slices of `_SLICE_BYTES`, so that all processors can parse it and none holds much.
The same cut leaves out the broken tail of a file that a crash left.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from fuselab.errors import ProfileError

_TAIL_BYTES = 8 << 20
"""A record cut in the middle is looked for this far from the end."""
_SLICE_BYTES = 4 << 20
_FIRST_BYTES = 1 << 20
"""The first slice is small, so that what comes after parsing soon has something to do."""
NOT_FINISHED = (
    "The program must drop tracing-chrome's guard: let it leave through `main` after SIGINT or SIGTERM, "
    "without process::exit, and give it time to stop."
)


def sliced(trace: Path) -> tuple[list[tuple[int, int]], bool]:
    """(start, end) of each slice in bytes of the file, in order; and whether the program did not finish it.

    Each slice holds whole records with commas between; the comma between one slice and the next is in neither.
    Raises ProfileError for a file of 0 bytes, one that is no JSON array, and one that holds no whole record.
    """
    slices: list[tuple[int, int]] = []
    with trace.open("rb") as source:
        start, end, cut = _extent(source.fileno(), trace)
        length = _FIRST_BYTES
        while start < end:
            border = _next_comma(source.fileno(), start + length, end)
            slices.append((start, border))
            start, length = border + 2, _SLICE_BYTES
    return slices, cut


def _extent(fd: int, trace: Path) -> tuple[int, int, bool]:
    """Where records begin and end, and whether the closing bracket is missing."""
    size = os.fstat(fd).st_size
    if size == 0:
        raise ProfileError(f"The trace {trace.name} has 0 bytes: it was never flushed.", NOT_FINISHED)
    head = os.pread(fd, 1024, 0)
    start = len(head) - len(head.lstrip())
    if head[start : start + 1] != b"[":
        raise ProfileError(
            f"{trace.name} does not begin as a Chrome trace does.", "Write it with tracing-chrome."
        )
    start += 1
    base = max(start, size - _TAIL_BYTES)
    tail = os.pread(fd, size - base, base)
    if b",\n" not in tail:  # one long line, as other programs save traces
        base, tail = start, os.pread(fd, size - start, start)
    body = tail.rstrip()
    inside = body[:-1].rstrip()
    # tracing-chrome's own bracket has a line to itself; no record does.
    own_line = body[len(inside) : -1].count(b"\n") > 0
    finished = body.endswith(b"]") and (own_line or _is_whole(inside) or (base == start and _parses(inside)))
    end = base + (len(inside) if finished else _whole(tail))
    if end <= start:
        if finished:
            raise ProfileError(
                f"The trace {trace.name} has no event: the log filter lets no span through.",
                "Set RUST_LOG to the level of the spans (`<target>=trace`).",
            )
        raise ProfileError(f"The trace {trace.name} was cut before its first whole record.", NOT_FINISHED)
    return start, end, not finished


def _is_whole(inside: bytes) -> bool:
    """Whether what stands before the last bracket ends with a whole record, so that the bracket is the file's own.

    A file that was cut behind the bracket of a list in an argument, or inside a text, has one too.
    """
    return _parses(inside[inside.rfind(b",\n") + 2 :] if b",\n" in inside else inside)


def _parses(records: bytes) -> bool:
    try:
        json.loads(b"[" + records + b"]")
    except ValueError:
        return False
    return True


def _whole(tail: bytes) -> int:
    """Length of the part of a cut tail that holds whole records."""
    border = tail.rfind(b",\n")
    last = tail[border + 2 :] if border >= 0 else tail
    return len(tail.rstrip()) if last.strip() and _parses(last) else max(border, 0)


def _next_comma(fd: int, offset: int, end: int) -> int:
    """Where the line that `offset` lies in ends: at its comma. A line break never stands inside a record."""
    while offset < end:
        chunk = os.pread(fd, min(1 << 16, end - offset), offset)
        found = chunk.find(b",\n")
        if found >= 0:
            return offset + found
        offset += max(1, len(chunk) - 1)
    return end
