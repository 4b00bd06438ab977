"""The records of a perf.data, for what `perf script` cannot print of it.

Only what is needed of the file is read. Layout: `perf_event_attr` and the records in the kernel's
linux/perf_event.h, the file itself in perf's perf.data-file-format.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_MAGIC = b"PERFILE2"
_FILE_HEADER_BYTES = 104
_HEADER = struct.Struct("<IHH")
_U64 = struct.Struct("<Q")
IP, TID, TIME, ADDR, READ, CALLCHAIN, ID, CPU, PERIOD = (1 << bit for bit in range(9))
STREAM_ID, RAW, BRANCH_STACK, REGS_USER, STACK_USER = (1 << bit for bit in range(9, 14))
IDENTIFIER = 1 << 16


@dataclass(frozen=True)
class PerfData:
    """An open file, as long as `opened` holds it. Without attributes and records where it is no perf.data: perf itself
    says what is wrong."""

    content: mmap.mmap | bytes
    attributes: Sequence[int] = ()
    """Positions of the attributes of every event."""
    entry_bytes: int = 0
    """Size of one event's attributes, with where its ids are behind them."""
    start: int = 0
    end: int = 0

    def records(self) -> Iterator[tuple[int, int, int, int]]:
        """(type, misc, position, size) of every record; a file cut short ends early."""
        at = self.start
        while at + 8 <= self.end:
            kind, misc, length = _HEADER.unpack_from(self.content, at)
            if length < 8 or at + length > self.end:
                return
            yield kind, misc, at, length
            at += length

    def word(self, at: int) -> int:
        """The 8 bytes at a position."""
        return int(_U64.unpack_from(self.content, at)[0])


@contextmanager
def opened(data: Path) -> Iterator[PerfData]:
    with data.open("rb") as stream:
        if stream.read(8) != _MAGIC or data.stat().st_size < _FILE_HEADER_BYTES:
            yield PerfData(b"")
            return
        with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
            entry, first, size, start, length = struct.unpack_from("<5Q", content, 16)
            whole = entry and first + size <= len(content)
            attributes = range(first, first + size, entry) if whole else ()
            yield PerfData(content, attributes, entry, start, min(start + length, len(content)))
