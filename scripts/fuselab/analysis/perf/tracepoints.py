"""Samples of tracepoints as columns: millions of them, without a line of text for each.

A tracepoint's sample is a fixed part and the kernel's own bytes, whose fields the file describes itself: perf copies
each event's `format` from tracefs into its header. Layout of both: perf.data-file-format in the kernel's tools/perf.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fuselab.analysis.perf.data import (
    ADDR,
    COMM,
    CPU,
    ID,
    IDENTIFIER,
    IP,
    LOST,
    PERIOD,
    RAW,
    SAMPLE,
    STREAM_ID,
    TID,
    TIME,
    PerfData,
    opened,
)  # fmt: skip

Samples = NDArray[Any]
"""A structured array: `time_ns`, `pid`, `tid` and the fields of the event, in the order of time."""
Positions = NDArray[np.int64]

TRACEPOINT = 2
"""The type of an event; its `config` is then the number of the tracepoint."""
_PIECE = 1 << 22
"""Of a file, in units of 8 bytes."""
_FIXED = {
    IDENTIFIER: "",
    IP: "",
    TID: "",
    TIME: "time_ns",
    ADDR: "",
    ID: "",
    STREAM_ID: "",
    CPU: "",
    PERIOD: "",
}
"""What a sample may hold in front of the raw bytes, 8 bytes each, in the order in which the kernel writes it."""
_FORMAT = re.compile(rb"name: (\w+)\nID: (\d+)\nformat:\n(.*?)\nprint fmt: ([^\n]*)", re.S)
_FIELD = re.compile(rb"field:[^;]*?(\w+);\toffset:(\d+);\tsize:([1248]);\tsigned:(\d);")
_SYMBOL = re.compile(r'\{\s*(\w+),\s*"([^"]*)"\s*\}')


@dataclass(frozen=True)
class Tracepoints:
    """What a recording has of its tracepoints."""

    samples: Mapping[str, Samples] = field(default_factory=dict)
    """By the event's name, without its group."""
    symbols: Mapping[str, Mapping[int, str]] = field(default_factory=dict)
    """By the event's name: the names that the kernel prints for the numbers of a field."""
    commands: Mapping[int, str] = field(default_factory=dict)
    """The last name of each thread, by its tid."""
    lost: int = 0
    """Records that perf could not keep up with."""


@dataclass(frozen=True)
class Described:
    """What the kernel says of an event in its `format`."""

    name: str
    number: int
    fields: Mapping[str, tuple[str, int]]
    """Name -> its type, and its place in the record; without those that all events have."""
    symbols: Mapping[int, str]
    """What is printed for the numbers of a field."""


def read_tracepoints(data: Path) -> Tracepoints:
    """Every tracepoint of a perf.data; nothing where it is no perf.data, or none was recorded.

    Raises ValueError where samples hold what has no fixed place (a stack): those are for `perf script`.
    """
    parts: dict[str, list[Samples]] = {}
    commands: dict[int, str] = {}
    lost = 0
    with opened(data) as file:
        formats = formats_in(file)
        events = list(_events(file, formats))
        parts |= {event.name: [event.samples(file.content, np.empty(0, np.int64))] for event in events}
        for positions in _pieces(file):
            kinds = _gathered(file.content, positions, 0, "<u4")
            taken = positions[kinds == SAMPLE]
            identifiers = _gathered(file.content, taken, 8, "<u8")
            for event in events:
                own = taken[np.isin(identifiers, event.ids)]
                parts[event.name].append(event.samples(file.content, own))
            commands |= map(file.thread_name, positions[kinds == COMM].tolist())
            lost += sum(
                int(_gathered(file.content, positions[kinds == k], at, "<u8").sum()) for k, at in LOST
            )
    symbols = {event.name: event.symbols for event in formats.values()}
    return Tracepoints({name: in_order(parts.pop(name)) for name in [*parts]}, symbols, commands, lost)


def formats_in(file: PerfData) -> Mapping[int, Described]:
    """By the number of the event."""
    return {event.number: event for event in described(bytes(file.content[file.end :]))}


def described(text: bytes) -> Iterator[Described]:
    """Every `format` of the kernel that stands in `text`."""
    for found in _FORMAT.finditer(text):
        fields = {
            name.decode(): (f"<{'i' if signed == b'1' else 'u'}{size.decode()}", int(offset))
            for name, offset, size, signed in _FIELD.findall(found[3])
            if not name.startswith(b"common_")
        }
        symbols = {int(n, 0): name for n, name in _SYMBOL.findall(found[4].decode(errors="replace"))}
        yield Described(found[1].decode(), int(found[2]), fields, symbols)


@dataclass(frozen=True)
class _Event:
    name: str
    ids: NDArray[np.uint64]
    fields: Mapping[str, tuple[str, int]]
    """Name -> its type, and its place in the record."""

    def samples(self, content: Any, positions: Positions) -> Samples:
        """Those that begin at `positions`."""
        whole = np.empty(len(positions), [(name, kind) for name, (kind, _) in self.fields.items()])
        for name, (kind, at) in self.fields.items():
            whole[name] = _gathered(content, positions, at, kind)
        return whole


def in_order(parts: Sequence[Samples]) -> Samples:
    whole = np.concatenate(parts)
    ordered: Samples = np.take(whole, np.argsort(np.ascontiguousarray(whole["time_ns"]), kind="stable"))
    return ordered


def _events(file: PerfData, formats: Mapping[int, Described]) -> Iterator[_Event]:
    for event in file.events():
        told = formats.get(event.config) if event.type == TRACEPOINT else None
        if told is None:
            continue
        sample_type = event.sample_type
        if sample_type & ~(sum(_FIXED) | RAW) or not sample_type & IDENTIFIER:
            raise ValueError(f"samples of {told.name} have no fixed places")
        there = [bit for bit in _FIXED if sample_type & bit]
        places = {bit: 8 + 8 * index for index, bit in enumerate(there)}
        raw = 8 + 8 * len(there) + 4
        fields = {
            "time_ns": ("<u8", places[TIME]),
            "pid": ("<i4", places[TID]),
            "tid": ("<i4", places[TID] + 4),
        }
        fields |= {name: (kind, raw + offset) for name, (kind, offset) in told.fields.items()}
        yield _Event(told.name, np.array(event.ids, np.uint64), fields)


def _pieces(file: PerfData) -> Iterator[Positions]:
    """Where each record begins, for one piece of the file after the other: what was read of one is let go."""
    # The size is the last 2 of the 8 bytes that a record begins with, and a multiple of 8.
    sizes = np.frombuffer(file.content, "<u2", max(0, file.end - file.start) // 8 * 4, file.start)[3::4]
    at = 0
    for begin in range(0, len(sizes), _PIECE):
        eighths = (sizes[begin : begin + _PIECE] >> 3).data
        places = array("q")
        note, end = places.append, len(eighths)
        while at < end and (length := eighths[at]):
            note(at)
            at += length
        if not places:
            return
        yield (np.frombuffer(places, np.int64) + begin) * 8 + file.start
        at -= end
        file.let_go()


def _gathered(content: Any, positions: Positions, offset: int, kind: str) -> NDArray[Any]:
    """The numbers that lie `offset` bytes behind each position."""
    size = np.dtype(kind).itemsize
    if not len(positions):
        return np.empty(0, kind)
    first = (int(positions[0]) + offset) % size  # positions are multiples of 8: all lie alike
    whole = np.frombuffer(content, kind, count=(len(content) - first) // size, offset=first)
    taken: NDArray[Any] = whole[(positions + (offset - first)) // size]
    return taken
