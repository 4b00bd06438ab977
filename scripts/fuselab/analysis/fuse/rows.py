"""Rows of the table of requests: its columns, known without reading any."""

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
