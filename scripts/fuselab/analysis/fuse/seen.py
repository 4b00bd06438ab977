"""What is kept of each capture's requests until all captures of a variant are summed up."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from fuselab.analysis.columns import table_of
from fuselab.analysis.fuse.flight import curve, number_in_flight
from fuselab.analysis.fuse.requests import Requests
from fuselab.analysis.fuse.tables import OfOpcode, by_opcode
from fuselab.analysis.fuse.words import Flight, flight_of


@dataclass(frozen=True)
class LatencyRow:
    """A point of a curve: how long it took at most for so many percent of an opcode's requests in one capture."""

    name: str
    capture: int
    percentile: float
    latency_ns: float


@dataclass(frozen=True)
class FlightRow:
    """How many requests were in flight in one capture, on average since the row before."""

    capture: int
    time_s: float
    in_flight: float


@dataclass(frozen=True)
class Seen:
    """One capture."""

    by_opcode: Mapping[str, OfOpcode]
    flight: Flight
    over_time: Sequence[tuple[float, float]]
    """Seconds since the load began, and the mean number in flight until then."""


def see(
    each: Sequence[Requests],
    limits: Sequence[int | None],
    family: Collection[int],
    window_ns: tuple[int, int] | None,
) -> Seen:
    """Of every mount of the run its requests and its `max_background`; `family` are the processes of the target."""
    number = [] if window_ns is None else list(number_in_flight(each, window_ns))
    return Seen(by_opcode(each, family), flight_of(each, limits, window_ns), number)


def latency_table(captures: Sequence[Seen]) -> pa.Table:
    """Opcodes in the order of their time in flight."""
    names = {name for seen in captures for name in seen.by_opcode}
    whole = {name: sum(_total_ns(seen, name) for seen in captures) for name in names}
    rows = [
        LatencyRow(name, number, percentile, latency_ns)
        for name in sorted(whole, key=lambda name: (-whole[name], name))
        for number, seen in enumerate(captures, 1)
        if name in seen.by_opcode
        for percentile, latency_ns in curve(np.concatenate(seen.by_opcode[name].in_flight_ns))
    ]
    return table_of(LatencyRow, rows)


def over_time_table(captures: Sequence[Seen]) -> pa.Table:
    rows = [FlightRow(number, *point) for number, seen in enumerate(captures, 1) for point in seen.over_time]
    return table_of(FlightRow, rows)


def _total_ns(seen: Seen, name: str) -> int:
    return sum(int(part.sum()) for part in seen.by_opcode[name].in_flight_ns) if name in seen.by_opcode else 0
