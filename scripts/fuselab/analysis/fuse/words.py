"""What the requests say at first sight, in sentences: only where it says something."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from fuselab.analysis.fuse.requests import Requests, most_in_flight
from fuselab.analysis.fuse.tables import OfOpcode
from fuselab.words import duration

_HEADER_BYTES = {"WRITE": 80, "READ": 16}
"""What comes with the data: fuse_in_header and fuse_write_in, or the answer's fuse_out_header."""
_OF_DATA = {"read": "READ", "write": "WRITE"}
"""What a load does -> what the kernel asks for it."""
_ASKED_OFTEN = 0.5
"""Requests for one of data, or for one operation, from which on they are worth a sentence."""
_SPLIT = 1.5
"""Requests for one operation of the load, from which on its operations are called split; and the other way round."""
_SAME = 0.02
"""How far two counts may be apart that are called the same."""
_UNWAITED = 2.0
"""Times as long in flight as the load saw: it is then no error of measurement, but write-back or reading ahead."""
_FULL = 0.2
"""Share of the time with as many in flight as there may be, from which on that is worth a sentence."""


class Load(Protocol):
    """What the load of a capture did, where it can be told by direction: `read`, `write`."""

    @property
    def operations(self) -> int:
        """In all."""

    @property
    def transfers(self) -> int:
        """Those that do nothing but move data."""

    @property
    def moved(self) -> Mapping[str, tuple[int, int]]:
        """Operations and bytes."""

    @property
    def latency_ns(self) -> Mapping[str, float]:
        """Mean, as the load saw it."""


@dataclass(frozen=True)
class Flight:
    """How many were in flight in one capture, on the mount where that was most."""

    most: int
    mean: float
    """Over the time in which any was."""
    full_share: float
    """Of that time, with `max_background` or more."""
    senders: int
    """Threads that sent any."""
    max_background: int | None


def flight_of(
    each: Sequence[Requests], limits: Sequence[int | None], window_ns: tuple[int, int] | None
) -> Flight:
    """Of the mounts of one capture, each with its `max_background`, the one with the most."""
    end_ns = max(int(r.ended_ns.max(initial=0)) for r in each) if window_ns is None else window_ns[1]
    most = [most_in_flight(r, end_ns, limit or 0) for r, limit in zip(each, limits, strict=True)]
    fullest = max(range(len(most)), key=lambda number: most[number][0])
    return Flight(*most[fullest], len(np.unique(each[fullest].sender)), limits[fullest])


def what_was_asked(
    by_opcode: Mapping[str, Sequence[OfOpcode]], loads: Sequence[Load], flown: Sequence[Flight]
) -> Iterator[str]:
    """Sentences about all captures of a load together."""
    counts = {name: sum(of.count for of in every) for name, every in by_opcode.items()}
    for direction, opcode in _OF_DATA.items():
        operations, moved = (sum(load.moved.get(direction, (0, 0))[i] for load in loads) for i in (0, 1))
        requests = counts.get(opcode, 0)
        if not operations:
            continue
        if requests >= _SPLIT * operations:
            size = _payload(opcode, by_opcode[opcode]) / requests
            yield (
                f"Every {_kib(moved / operations)} {direction} becomes {_times(requests / operations)} requests of "
                f"{_kib(size)}."
            )
        elif requests and operations >= _SPLIT * requests:
            yield (
                f"{_times(operations / requests)} {direction}s of the load come as one {opcode}: the kernel joins them "
                "or answers from its cache."
            )
        elif not requests:
            yield f"No {direction} of the load reaches the filesystem: the kernel's cache has it all."
        elif abs(requests - operations) <= _SAME * operations:
            yield from _latency(direction, opcode, by_opcode[opcode], loads)
    operations = sum(load.operations for load in loads)
    if operations and not any(load.transfers for load in loads):
        yield from _for_each(counts, operations, "operation of the load")
    else:
        yield from _beside_data(counts)
    yield from _in_flight(flown)


def _latency(direction: str, opcode: str, every: Sequence[OfOpcode], loads: Sequence[Load]) -> Iterator[str]:
    """Where one operation is one request: what of its time the request is not in flight for."""
    if not all(direction in load.latency_ns for load in loads):
        return
    weights = [load.moved[direction][0] for load in loads]
    seen_ns = float(np.average([load.latency_ns[direction] for load in loads], weights=weights))
    flown_ns = float(np.concatenate([part for of in every for part in of.in_flight_ns]).mean())
    between_ns = seen_ns - flown_ns
    flown = duration(flown_ns / 1e9)
    between = f"{duration(abs(between_ns) / 1e9)} ({abs(between_ns) / seen_ns:.0%})"
    if between_ns >= 0:
        said = f"{flown} of that (means): {between} lie before and behind the request"
    elif flown_ns < _UNWAITED * seen_ns:
        said = f"{flown} (means): {between} more than the load saw"
    else:
        said = f"{flown} (means): the load does not wait for it, and the kernel sends it for itself"
    yield (
        f"A {direction} takes {duration(seen_ns / 1e9)} as the load sees it, and its {opcode} is in flight for {said}."
    )


def _beside_data(counts: Mapping[str, int]) -> Iterator[str]:
    """What is asked about as often as data is."""
    asked = Counter({name: counts.get(name, 0) for name in _OF_DATA.values()})
    data = asked.total()
    (most, count), *_ = asked.most_common()
    what = most if data and count >= (1 - _SAME) * data else "request of data"
    yield from _for_each({name: n for name, n in counts.items() if name not in asked}, data, what)


def _for_each(counts: Mapping[str, int], base: int, what: str) -> Iterator[str]:
    """What is asked about as often as there is one of `what`."""
    for name, number in sorted(counts.items()):
        if base and number >= _ASKED_OFTEN * base:
            same = abs(number - base) <= _SAME * base
            article = "An" if name[0] in "AEIOU" else "A"
            yield f"{f'{article} {name}' if same else f'{_times(number / base)} {name}'} for each {what}."


def _in_flight(flown: Sequence[Flight]) -> Iterator[str]:
    most = max((flight.most for flight in flown), default=0)
    if most == 1:
        yield "Never more than 1 request is in flight: the load waits for each before it asks the next."
    full = [flight for flight in flown if flight.max_background and flight.full_share >= _FULL]
    # Who waits for an answer sends one at a time: more in flight than there are senders are those of nobody.
    if full and len(full) == len(flown) and all(f.senders < (f.max_background or 0) for f in full):
        share = min(flight.full_share for flight in full)
        yield (
            f"{full[0].max_background} in flight is all that `max_background` lets through of reads ahead, write-back "
            f"and asynchronous I/O, and {share:.0%} of the time as many were: what is asked beyond waits to be sent."
        )


def _payload(opcode: str, every: Sequence[OfOpcode]) -> int:
    """Bytes of data alone."""
    sizes = (of.asked_bytes if opcode == "WRITE" else of.answered_bytes for of in every)
    return sum(sizes) - _HEADER_BYTES[opcode] * sum(of.count for of in every)


def _times(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")


def _kib(size: float) -> str:
    return f"{size / 1024:.4g} KiB"
