"""Pages of the kernel's tracing buffers as columns: millions of events, without a line of text for each.

A page is its time, how many bytes of it are filled, and events one behind the other; each begins with a word that
holds its kind and the time since the one before. Layout: `header_page` and `header_event` in tracefs's `events`, and
kernel/trace/ring_buffer.c. The fields of an event are what its `format` says.
"""

from __future__ import annotations

import mmap
from array import array
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fuselab.analysis.perf.tracepoints import Described, Samples, Tracepoints, described, in_order
from fuselab.system.tracefs import FORK
from fuselab.system.tracing import FILLED, PAGE_HEADER

_PADDING, _TIME_EXTEND, _TIME_STAMP = 29, 30, 31
_STAMP_BITS = 59
"""An absolute time lacks the bits above these."""
_PIECE = 4096
"""Pages that are read at a time."""
NOBODYS = 1 << 22
"""From here on numbers are of threads that nobody has looked up: no pid is as large."""
Words = NDArray[np.uint32]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class _Found:
    """Events of some pages: where the data of each begins, in words of 4 bytes, and its time."""

    at: Integers
    time_ns: Integers


Tasks = Mapping[int, tuple[int, int]]
"""Number of a thread as the kernel has it -> (process, thread) as a run has them."""


def read_trace(
    pages: Path, formats: Sequence[str], without: Mapping[str, Collection[int]] | None = None
) -> Tracepoints:
    """Every event of `formats` in a file of pages, each of which ends where it is filled; `pid` and `tid` are both the
    task's number. Of the events named in `without`, none of these tasks: of what others do there may be much.

    Raises ValueError where a page is not whole.
    """
    events = [event for text in formats for event in described(text.encode())]
    left_out = {name: np.array(sorted(tasks), np.uint32) for name, tasks in (without or {}).items()}
    parts: dict[str, list[Samples]] = {event.name: [_none_of(event)] for event in events}
    with pages.open("rb") as file:
        size = file.seek(0, 2)
        content: Any = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) if size else b""
        words = np.frombuffer(content, "<u4", size // 4)
        for begin, end in _pieces(content, size):
            found = _events(words, begin, end)
            numbers = words[found.at] & 0xFFFF
            for event in events:
                own = numbers == event.number
                if event.name in left_out:
                    own[own] = np.isin(words[found.at[own] + 1], left_out[event.name], invert=True)
                parts[event.name].append(_samples(words, found.at[own], found.time_ns[own], event))
            content.madvise(mmap.MADV_DONTNEED)
    samples = {name: in_order(parts.pop(name)) for name in [*parts]}
    return Tracepoints(samples, {event.name: event.symbols for event in events})


def all_tasks(told: Tracepoints, tasks: Tasks, others: Collection[int]) -> Tasks:
    """`tasks` that were looked up, with process 0 for `others` outside of the run, and with whoever had ended before
    anybody looked: he is of the process that he descends from, as FORK tells, under a number that no other has.
    """
    known = {**{number: (0, number + NOBODYS) for number in others}, **tasks}
    if (forks := told.samples.get(FORK)) is not None:
        for parent, child in zip(forks["parent_pid"].tolist(), forks["child_pid"].tolist(), strict=True):
            if parent in known and child not in known:
                known[child] = (known[parent][0], child + NOBODYS)
    return known


def numbered(told: Tracepoints, known: Tasks) -> Tracepoints:
    """With `pid` and `tid` as a run has them; of whom nobody knows, with numbers that no other has."""
    return replace(told, samples={name: _numbered(each, known) for name, each in told.samples.items()})


def _numbered(samples: Samples, known: Tasks) -> Samples:
    found, which = np.unique(samples["tid"], return_inverse=True)
    apart = [(number + NOBODYS, number + NOBODYS) for number in found.tolist()]
    pairs = [known.get(number, own) for number, own in zip(found.tolist(), apart, strict=True)]
    ours = np.array(pairs, np.int32).reshape(-1, 2)
    samples["pid"], samples["tid"] = ours[which, 0], ours[which, 1]
    return samples


def _pieces(content: Any, size: int) -> Iterator[tuple[Integers, Integers]]:
    """Where pages begin and where what fills them ends, in bytes; some at a time."""
    begins, ends, at = array("q"), array("q"), 0
    while at < size:
        if at + PAGE_HEADER.size > size:
            raise ValueError("the last page is cut short")
        filled = PAGE_HEADER.unpack_from(content, at)[1] & FILLED
        begins.append(at)
        at += PAGE_HEADER.size + filled
        ends.append(at)
        if at > size:
            raise ValueError("the last page is cut short")
        if len(begins) == _PIECE:
            yield np.array(begins, np.int64), np.array(ends, np.int64)
            begins, ends = array("q"), array("q")
    if begins:
        yield np.array(begins, np.int64), np.array(ends, np.int64)


def _events(words: Words, begin: Integers, end: Integers) -> _Found:
    """Of all pages together: the first event of each, then the second of each, ..."""
    now_ns = _wide(words, begin // 4)
    at, end = begin // 4 + PAGE_HEADER.size // 4, end // 4
    places, times = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    while len(alive := np.flatnonzero(at < end)):
        at, end, now_ns = at[alive], end[alive], now_ns[alive]
        head = words[at]
        kind, delta = (head & 31).astype(np.int64), (head >> 5).astype(np.int64)
        second = words[np.minimum(at + 1, len(words) - 1)].astype(np.int64)
        long = (kind == 0) | ((kind == _PADDING) & (delta > 0))
        length = np.where(long, 1 + (second + 3) // 4, 1 + kind)
        length[kind == _PADDING] = np.where(delta > 0, length, end - at)[kind == _PADDING]
        length[kind >= _TIME_EXTEND] = 2
        delta += np.where(kind >= _TIME_EXTEND, second << 27, 0)
        stamped = kind == _TIME_STAMP
        high = now_ns >> _STAMP_BITS << _STAMP_BITS
        now_ns = np.where(stamped, high | delta, now_ns + delta)
        told = kind < _PADDING
        places.append((at + 1 + (kind == 0))[told])
        times.append(now_ns[told])
        at = at + length
    return _Found(np.concatenate(places), np.concatenate(times))


def _wide(words: Words, at: Integers) -> Integers:
    """The numbers of 8 bytes that begin at words: data is aligned to 4."""
    low, high = words[at].astype(np.int64), words[at + 1].astype(np.int64)
    whole: Integers = low | high << 32
    return whole


def _none_of(event: Described) -> Samples:
    kinds = [(name, kind) for name, (kind, _) in event.fields.items()]
    return np.empty(0, [("time_ns", "<u8"), ("pid", "<i4"), ("tid", "<i4"), *kinds])


def _samples(words: Words, at: Integers, time_ns: Integers, event: Described) -> Samples:
    whole = np.empty(len(at), _none_of(event).dtype)
    whole["time_ns"] = time_ns
    whole["pid"] = whole["tid"] = words[at + 1].view("<i4")  # common_pid
    for name, (kind, offset) in event.fields.items():
        if kind[2:] == "8":
            whole[name] = _wide(words, at + offset // 4).view(kind)
        else:
            word = words[at + offset // 4] >> np.uint32(8 * (offset % 4))
            whole[name] = word.astype(f"<u{kind[2:]}").view(kind)
    return whole
