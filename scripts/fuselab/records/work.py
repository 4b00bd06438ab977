"""work.json: what a run of fixed work made its target and its services do, counted and not timed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

SYSCALLS, REQUESTS, COUNTERS = "syscalls", "fuse_requests", "counter"
"""Families of counts: what one run has none of, and another of the same load has, is 0 there."""


@dataclass(frozen=True)
class Counted:
    """Of all processes of the target, or of a service, from just before the load until nothing was left of it to do.

    What is not in here could not be counted: `Work.unavailable` says why.
    """

    totals: Mapping[str, float] = field(default_factory=dict)
    """`cpu_ns`, `page_faults`, `context_switches_voluntary`, ... and the sum of each family that was counted."""
    families: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Family -> name -> number: system calls by name, FUSE requests by opcode, what the programs count themselves."""


@dataclass(frozen=True)
class Work:
    """One run of fixed work."""

    operations: int
    """I/Os of the load; 0: it has none, and its counts are those of the run."""
    bytes: int
    """Moved by the load in all."""
    written_bytes: int
    target: Counted
    services: Mapping[str, Counted] = field(default_factory=dict)
    """Each service by what it is to the backend."""
    unavailable: Mapping[str, str] = field(default_factory=dict)
    """Of what could not be counted: why, for `syscalls`, `service.syscalls`, `fuse_requests`, ..."""
