"""The records of a perf.data, for what `perf script` cannot print of it.

Only what is needed of the file is read. Layout: `perf_event_attr` and the records in the kernel's
linux/perf_event.h, the file itself in perf's perf.data-file-format.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path

_MAGIC = b"PERFILE2"
_FILE_HEADER_BYTES = 104
_HEADER = struct.Struct("<IHH")
_U64 = struct.Struct("<Q")
IP, TID, TIME, ADDR, READ, CALLCHAIN, ID, CPU, PERIOD = (1 << bit for bit in range(9))
STREAM_ID, RAW, BRANCH_STACK, REGS_USER, STACK_USER = (1 << bit for bit in range(9, 14))
IDENTIFIER = 1 << 16
_WORDS = ADDR | ID | STREAM_ID | CPU | PERIOD
COMM, FORK, SAMPLE, MMAP2 = 3, 7, 9, 10
_SAMPLE_ID_ALL = 1 << 18
LOST = ((2, 16), (13, 8))
"""Types of records that count what was lost, and where in them the count is."""


@dataclass(frozen=True)
class Event:
    """What was asked of the kernel for one event."""

    type: int
    config: int
    sample_type: int
    user_registers: int
    """A bit for each."""
    ids: Sequence[int]
    """By which samples say that they are of this event."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample, as far as all of its parts have a place that its `sample_type` tells."""

    pid: int
    tid: int
    time_ns: int
    chain: bytes
    """Addresses, the innermost first, 8 bytes each."""
    raw: bytes
    """The fields of a tracepoint."""
    rest: bytes
    """Registers and a copy of the stack, if they were asked for."""


def sample_of(body: bytes, kind: int) -> Sample:
    """One sample of the `sample_type` `kind`, from behind its identifier. READ and BRANCH_STACK are not understood:
    fuselab records neither."""
    at = 8 if kind & IP else 0
    pid, tid, time_ns = struct.unpack_from("<iiQ", body, at)
    at += 16 + 8 * (kind & _WORDS).bit_count()
    chain = raw = b""
    if kind & CALLCHAIN:
        end = at + 8 + 8 * int(_U64.unpack_from(body, at)[0])
        chain, at = body[at + 8 : end], end
    if kind & RAW:
        end = at + 4 + int.from_bytes(body[at : at + 4], "little")
        raw, at = body[at + 4 : end], end
    return Sample(pid, tid, time_ns, chain, raw, body[at:])


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

    def samples(self, kinds: Mapping[int, int]) -> Iterator[tuple[int, Sample]]:
        """(id of the event, sample) of every sample of some events, in the order of the file, which is not quite that
        of time; `kinds` has the sample_type of each id."""
        for record, _, at, size in self.records():
            identifier = self.word(at + 8) if record == SAMPLE else 0
            if identifier in kinds:
                yield identifier, sample_of(self.content[at + 16 : at + size], kinds[identifier])

    def timed(self, *kinds: int) -> list[tuple[int, int, int, int, int]]:
        """(CLOCK_MONOTONIC in ns, type, misc, position, size) of every record of some types that are no samples, in the
        order of time: each CPU has a buffer of its own, and the file is in the order in which they were emptied."""
        behind = self._behind_time()
        found = [
            (self.word(at + size - behind) if behind else 0, kind, misc, at, size)
            for kind, misc, at, size in self.records()
            if kind in kinds
        ]
        return sorted(found, key=itemgetter(0))

    def _behind_time(self) -> int:
        """Bytes from the time in the trailer of records that are no samples to their end; 0 where they have none."""
        for attributes in self.attributes[:1]:
            sample_type, flags = self.word(attributes + 24), self.word(attributes + 40)
            if flags & _SAMPLE_ID_ALL and sample_type & TIME:
                return 8 + 8 * (sample_type & (ID | STREAM_ID | CPU | IDENTIFIER)).bit_count()
        return 0

    def events(self) -> Iterator[Event]:
        for at in self.attributes:
            first, length = (self.word(at + self.entry_bytes - back) for back in (16, 8))
            ids = struct.unpack_from(f"<{length // 8}Q", self.content, first)
            config, sample_type, registers = (self.word(at + place) for place in (8, 24, 80))
            yield Event(self.word(at) & 0xFFFFFFFF, config, sample_type, registers, ids)

    def thread_name(self, at: int) -> tuple[int, str]:
        """(tid, name) of the record of type COMM at a position."""
        name = self.content[at + 16 : at + (self.word(at) >> 48)].split(b"\0", 1)[0]
        return int.from_bytes(self.content[at + 12 : at + 16], "little"), name.decode(errors="replace")

    def let_go(self) -> None:
        """Keep nothing of the file in memory: what is looked at again is read again."""
        if isinstance(self.content, mmap.mmap):
            self.content.madvise(mmap.MADV_DONTNEED)

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
