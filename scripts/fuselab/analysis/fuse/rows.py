"""Rows of the tables that requests become: their columns, known without reading any."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RequestRow:
    """One request. Times in us, from the beginning of the load; None where they were not seen."""

    connection: int
    opcode: str
    sent_us: float
    queued_us: float | None
    served_us: float | None
    in_flight_us: float | None
    error: str | None
    asked_bytes: int
    answered_bytes: int
    sender: str
    sender_tid: int
    server_tid: int | None


@dataclass(frozen=True)
class OpcodeRow:
    """All requests of one opcode, in all captures."""

    opcode: str
    requests: int
    per_operation: float | None
    """Of the load; None where it does not count its own."""
    in_flight_ns: int
    queued_ns: int | None
    """None where nobody saw a request picked up."""
    p50_us: float | None
    p99_us: float | None
    max_us: float | None
    asked_bytes: int
    answered_bytes: int
    sent_by: str
    errors: str
    unanswered: int


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
