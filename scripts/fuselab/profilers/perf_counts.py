"""What perf counts of a run of fixed work: system calls by name, FUSE requests by opcode, switches, instructions.

No profiler: nothing is drawn of it, and no stack is recorded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from fuselab.profilers.base import PerfEvent
from fuselab.profilers.perf_record import (
    CountedEvent,
    Watched,
    requests_count_argv,
    syscalls_count_argv,
    totals_count_argv,
)
from fuselab.profilers.perf_session import PERMIT_ALL
from fuselab.records.work import REQUESTS, SYSCALLS
from fuselab.system.syscall_names import syscall_names
from fuselab.system.tracefs import ENTER, SEND

_NO_COUNTERS = "the processor's counters are not there: most virtual machines have none"


@dataclass(frozen=True)
class Counts:
    """What one perf has counted."""

    totals: Mapping[str, float] = field(default_factory=dict)
    families: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    unavailable: Mapping[str, str] = field(default_factory=dict)


def _family(name: str, counted: Mapping[str, float]) -> Counts:
    return Counts({name: sum(counted.values())}, {name: counted})


class PerfCount(Protocol):
    """One perf that counts for all processes of the target, or of its service."""

    @property
    def names(self) -> tuple[str, ...]:
        """What it counts."""

    def missing(self) -> Mapping[str, str]:
        """Those of its `names` that the kernel does not tell of, and why."""

    def argv(self, perf: str, whom: Watched, connections: Sequence[int], output: Path) -> list[str]:
        """`connections` are the run's FUSE mounts."""

    def read(self, output: Path) -> Counts:
        """What it has written. Raises ProfileError where that is not all."""


def _event(name: str, what: str, since: str = "") -> PerfEvent:
    return PerfEvent(name, f"perf can count {what}", f"cannot count {what}", PERMIT_ALL, since)


def _why(event: PerfEvent) -> str:
    """Why the kernel does not tell of it; "" if it does, or perf alone can know."""
    obstacle = event.obstacle()
    return "" if obstacle is None else f"{obstacle.reason}: {obstacle.mend}"


@dataclass(frozen=True)
class _ByName:
    """A family: each of its events is recorded, to be counted by its name."""

    family: str
    event: PerfEvent

    @property
    def names(self) -> tuple[str, ...]:
        return (self.family,)

    def missing(self) -> Mapping[str, str]:
        why = _why(self.event)
        return {self.family: why} if why else {}


class _Syscalls(_ByName):
    def argv(self, perf: str, whom: Watched, connections: Sequence[int], output: Path) -> list[str]:
        return syscalls_count_argv(perf, whom, output)

    def read(self, output: Path) -> Counts:
        from fuselab.analysis.perf.counts import count_syscalls

        return _family(self.family, count_syscalls(output, syscall_names()))


class _Requests(_ByName):
    def argv(self, perf: str, whom: Watched, connections: Sequence[int], output: Path) -> list[str]:
        return requests_count_argv(perf, output, connections)

    def read(self, output: Path) -> Counts:
        from fuselab.analysis.perf.counts import count_requests

        return _family(self.family, count_requests(output))


_SWITCH = _event("sched:sched_switch", "context switches")
_TOTALS = {
    # The state in which a thread leaves the CPU: none of these bits where it was not its own will.
    CountedEvent("context_switches_voluntary", _SWITCH.name, "prev_state & 255"): _SWITCH,
    CountedEvent("context_switches_involuntary", _SWITCH.name, "!(prev_state & 255)"): _SWITCH,
    CountedEvent("instructions", "instructions"): None,
    CountedEvent("cache_misses", "cache-misses"): None,
}
"""With the tracepoint that the kernel must tell of; the processor's own counters have none."""


class _Totals:
    """What is counted without a record of each: nothing is lost."""

    names = tuple(event.name for event in _TOTALS)

    def missing(self) -> Mapping[str, str]:
        return {event.name: why for event, of in _TOTALS.items() if of and (why := _why(of))}

    def argv(self, perf: str, whom: Watched, connections: Sequence[int], output: Path) -> list[str]:
        return totals_count_argv(perf, whom, output, self._asked)

    def read(self, output: Path) -> Counts:
        from fuselab.analysis.perf.counts import count_totals

        counted = count_totals(output, [event.name for event in self._asked])
        return Counts(
            {name: value for name, value in counted.items() if value is not None},
            unavailable={name: _NO_COUNTERS for name, value in counted.items() if value is None},
        )

    @property
    def _asked(self) -> list[CountedEvent]:
        missing = self.missing()
        return [event for event in _TOTALS if event.name not in missing]


OF_SERVICE: tuple[PerfCount, ...] = (
    _Syscalls(SYSCALLS, _event(f"raw_syscalls:{ENTER}", "system calls")),
    _Totals(),
)
OF_TARGET: tuple[PerfCount, ...] = (
    *OF_SERVICE,
    _Requests(REQUESTS, _event(f"fuse:{SEND}", "FUSE requests", "Linux 6.12")),
)
