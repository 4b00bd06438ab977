"""Samples of tracepoints as columns: millions of them, without a line of text for each.

A tracepoint's sample is a fixed part and the kernel's own bytes, whose fields the file describes itself: perf copies
each event's `format` from tracefs into its header. Layout of both: perf.data-file-format in the kernel's tools/perf.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fuselab.analysis.perf.data import (
    ADDR,
    CPU,
    ID,
    IDENTIFIER,
    IP,
    PERIOD,
    RAW,
    STREAM_ID,
    TID,
    TIME,
    PerfData,
    opened,
)  # fmt: skip

Samples = NDArray[Any]
"""A structured array: `time_ns`, `pid`, `tid` and the fields of the event, in the order of time."""
Positions = NDArray[np.int64]

_TRACEPOINT = 2
_COMM, _SAMPLE = 3, 9
LOST = ((2, 16), (13, 8))
"""Types of records that count what was lost, and where in them the count is."""
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


def read_tracepoints(data: Path) -> Tracepoints:
    """Every tracepoint of a perf.data; nothing where it is no perf.data, or none was recorded.

    Raises ValueError where samples hold what has no fixed place (a stack): those are for `perf script`.
    """
    with opened(data) as file:
        formats = formats_in(file)
        positions = _positions(file)
        kinds = _gathered(file.content, positions, 0, "<u4")
        taken = positions[kinds == _SAMPLE]
        identifiers = _gathered(file.content, taken, 8, "<u8")
        samples = {
            event.name: event.samples(file.content, taken[np.isin(identifiers, event.ids)])
            for event in _events(file, formats)
        }
        commands: dict[int, str] = {}
        for at in positions[kinds == _COMM].tolist():
            pid_tid_name = file.content[at + 8 : at + (file.word(at) >> 48)]
            commands[int.from_bytes(pid_tid_name[4:8], "little")] = (
                pid_tid_name[8:].split(b"\0", 1)[0].decode(errors="replace")
            )
        lost = sum(
            int(_gathered(file.content, positions[kinds == kind], at, "<u8").sum()) for kind, at in LOST
        )
        symbols = {
            found[1].decode(): {
                int(n, 0): name for n, name in _SYMBOL.findall(found[4].decode(errors="replace"))
            }
            for found in formats.values()
        }
    return Tracepoints(samples, symbols, commands, lost)


def formats_in(file: PerfData) -> Mapping[int, re.Match[bytes]]:
    """By the number of the event: its name, its number, its fields and how the kernel prints them."""
    return {int(found[2]): found for found in _FORMAT.finditer(bytes(file.content[file.end :]))}


@dataclass(frozen=True)
class _Event:
    name: str
    ids: NDArray[np.uint64]
    fields: Mapping[str, tuple[str, int]]
    """Name -> its type, and its place in the record."""

    def samples(self, content: Any, positions: Positions) -> Samples:
        """Those that begin at `positions`."""
        columns = {name: _gathered(content, positions, at, kind) for name, (kind, at) in self.fields.items()}
        order = np.argsort(columns["time_ns"], kind="stable")
        whole = np.empty(len(order), [(name, kind) for name, (kind, _) in self.fields.items()])
        for name, column in columns.items():
            whole[name] = column[order]
        return whole


def _events(file: PerfData, formats: Mapping[int, re.Match[bytes]]) -> Iterator[_Event]:
    for at in file.attributes:
        kind, config, sample_type = (file.word(at + offset) for offset in (0, 8, 24))
        described = formats.get(config)
        if kind & 0xFFFFFFFF != _TRACEPOINT or described is None:
            continue
        if sample_type & ~(sum(_FIXED) | RAW) or not sample_type & IDENTIFIER:
            raise ValueError(f"samples of {described[1].decode()} have no fixed places")
        there = [bit for bit in _FIXED if sample_type & bit]
        places = {bit: 8 + 8 * index for index, bit in enumerate(there)}
        raw = 8 + 8 * len(there) + 4
        fields = {
            "time_ns": ("<u8", places[TIME]),
            "pid": ("<i4", places[TID]),
            "tid": ("<i4", places[TID] + 4),
        }
        for name, offset, size, signed in _FIELD.findall(described[3]):
            if not name.startswith(b"common_"):
                fields[name.decode()] = (
                    f"<{'i' if signed == b'1' else 'u'}{size.decode()}",
                    raw + int(offset),
                )
        first, length = file.word(at + file.entry_bytes - 16), file.word(at + file.entry_bytes - 8)
        ids = np.frombuffer(bytes(file.content[first : first + length]), "<u8")
        yield _Event(described[1].decode(), ids, fields)


def _positions(file: PerfData) -> Positions:
    """Where each record begins. Each is a multiple of 8 bytes long: one list of lengths serves to walk along."""
    words: NDArray[np.uint64] = np.frombuffer(
        file.content, "<u8", count=max(0, file.end - file.start) // 8, offset=file.start
    )
    lengths = array("H", (words >> np.uint64(51)).astype(np.uint16).tobytes())
    at, places = 0, array("q")
    while at < len(lengths) and (length := lengths[at]):
        places.append(at)
        at += length
    return np.frombuffer(places, np.int64) * 8 + file.start


def _gathered(content: Any, positions: Positions, offset: int, kind: str) -> NDArray[Any]:
    """The numbers that lie `offset` bytes behind each position."""
    size = np.dtype(kind).itemsize
    if not len(positions):
        return np.empty(0, kind)
    first = (int(positions[0]) + offset) % size  # positions are multiples of 8: all lie alike
    whole = np.frombuffer(content, kind, count=(len(content) - first) // size, offset=first)
    taken: NDArray[Any] = whole[(positions + (offset - first)) // size]
    return taken
