"""What is counted of a run of fixed work, by the name of the metric: its unit, its words, and what it is part of.

`work.` is of all processes of the target, `work.service.` of those of its service, and `work.service.meta.` of those of
the one that is its backend's `meta`. A name ends in `_per_op` where it
is divided by the operations of the load. `fuse_requests.WRITE` is one opcode, `counter.range` what a program counts
itself, and any other word a system call.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum

from fuselab.workloads.metric import Phrase, Quantity

PREFIX = "work."
PER_OP = "_per_op"
SYSCALLS = "syscalls"
FUSE_REQUESTS = "fuse_requests"
_COUNTER = "counter."
_SERVICE = re.compile(r"service\.(?:(?!counter\.)([a-z]+[0-9]*)\.)?")
"""No service is called `counter` by its backend (target.schema.json), so what follows is told apart."""


def of_call(name: str) -> str:
    """The counter of a system call, per operation of the load."""
    return f"{PREFIX}{name}{PER_OP}"


def is_own(metric: str) -> bool:
    """Whether a program keeps this counter itself."""
    return _stem(metric).startswith(_COUNTER)


def system_call(metric: str) -> str:
    """The system call that a counter counts; "" of any other."""
    stem = _stem(metric)
    return "" if stem in _KNOWN or "." in stem else stem


def _stem(metric: str) -> str:
    return _SERVICE.sub("", metric.removeprefix(PREFIX), count=1).removesuffix(PER_OP)


class _Telling(IntEnum):
    """How near a kind of counter is to what somebody has changed: the order in which kinds are named."""

    OWN = 1
    """What a program or its store found worth counting."""
    REQUESTS = 2
    CALLS = 3
    TAKEN = 4
    """What that takes of the machine."""
    WHOLE = 5
    """What is of the run, and not of an operation."""


@dataclass(frozen=True)
class _Counted:
    noun: str
    unit: str = "1"
    event: str = ""
    """What there is more of, where the noun does not say it beside a number of bytes."""
    one: str = ""
    """Of what is spoken of in the plural: a single one."""
    telling: _Telling = _Telling.TAKEN


_KNOWN = {
    SYSCALLS: _Counted("system calls", one="system call", telling=_Telling.CALLS),
    FUSE_REQUESTS: _Counted("FUSE requests", one="FUSE request", telling=_Telling.REQUESTS),
    "context_switches_voluntary": _Counted("voluntary context switches", one="voluntary context switch"),
    "context_switches_involuntary": _Counted(
        "involuntary context switches", one="involuntary context switch"
    ),
    "page_faults": _Counted("page faults", one="page fault"),
    "disk_read_bytes": _Counted("bytes read from disk", "B", "read from disk"),
    "disk_write_bytes": _Counted("bytes written to disk", "B", "written to disk"),
    "write_amplification": _Counted("bytes written to disk per byte of the load"),
    "cpu_ns": _Counted("CPU time", "ns"),
    "instructions": _Counted("instructions", one="instruction"),
    "cache_misses": _Counted("cache misses", one="cache miss"),
    "peak_memory_bytes": _Counted("peak memory", "B", telling=_Telling.WHOLE),
}


TOTALS = tuple(of_call(name) for name in _KNOWN if name not in ("peak_memory_bytes", "write_amplification"))
"""Of all that a target does, under a load that has operations."""


def counter(metric: str) -> Quantity | None:
    """What is known of a work counter by its name; None of a metric that is none."""
    if not metric.startswith(PREFIX):
        return None
    name = metric.removeprefix(PREFIX)
    service = _SERVICE.match(name)
    whose = service[0] if service else ""
    name = name.removeprefix(whose)
    stem = name.removesuffix(PER_OP)
    counted, total, opcode = _of(stem)
    per = " per operation" if stem != name else ""
    of = (f" of the service `{service[1]}`" if service[1] else " of the service") if service else ""
    noun = f"{counted.noun}{per}{of}{', ' + opcode if opcode else ''}"
    return Quantity(
        metric,
        counted.unit,
        "lower",
        Phrase(noun, more="more", less="less"),
        counted=True,
        event=_event(counted, opcode, of),
        one=_one(counted, opcode, of),
        telling=counted.telling,
        part_of=f"{PREFIX}{whose}{total}{PER_OP}" if total else "",
    )


def _of(stem: str) -> tuple[_Counted, str, str]:
    """What is counted; the counter of all that it is one kind of, if any; and the opcode."""
    if stem in _KNOWN:
        return _KNOWN[stem], "", ""
    if stem.startswith(_COUNTER):
        return _Counted(f"`{stem.removeprefix(_COUNTER)}`", telling=_Telling.OWN), "", ""
    kind, _, opcode = stem.partition(".")
    if kind == FUSE_REQUESTS:
        return _KNOWN[FUSE_REQUESTS], FUSE_REQUESTS, opcode
    return _Counted(f"`{stem}`", telling=_Telling.CALLS), SYSCALLS, ""


def _event(counted: _Counted, opcode: str, of: str) -> str:
    """What there is more of: an opcode names its requests, and the others are called as they are."""
    return (f"`{opcode}` requests" if opcode else counted.event or counted.noun) + of


def _one(counted: _Counted, opcode: str, of: str) -> str:
    return (
        f"`{opcode}` request{of}" if opcode else counted.one + of if counted.one else _event(counted, "", of)
    )
