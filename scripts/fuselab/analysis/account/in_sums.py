"""Sharing threads among requests, moment by moment, where nobody can tell which thread works for which request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from fuselab.analysis.account.served import Bools, Served
from fuselab.analysis.ftrace import NOBODYS
from fuselab.analysis.perf.intervals import Integers, Off, Waits


class Parts(NamedTuple):
    """What served requests were doing, in ns; or how many were doing it."""

    oncpu: int
    preempted: int
    blocked: int
    awaiting: int


def shared(
    served: Served, others: Bools, waits: Waits, holder: Integers, window_ns: tuple[int, int]
) -> tuple[Mapping[int, Parts], Parts]:
    """(what requests of each opcode among `others` were doing, what threads did for no request).

    `holder` is, for each wait, the request that is accounted already and that the wait is part of, or -1. A thread
    counts for one request at most; those on a CPU are shared first, then preempted, then blocked ones. Blocked threads
    count where it is known of them how they wait for work, so that this wait is another.
    """
    line = _Line(window_ns)
    _count_threads(line, served, others, waits, holder)
    codes = np.unique(served.opcode[others]).tolist()
    for code in codes:
        mine = others & served.of(code)
        line.count(code, served.start_ns[mine], served.end_ns[mine])
    length_ns, there = line.steps()
    left = wanted = sum((there[code] for code in codes), np.zeros(len(length_ns), np.int64))
    doing = []
    for name in ("oncpu", "preempted", "blocked"):
        doing.append(np.minimum(left, np.maximum(there[name], 0)))
        left = left - doing[-1]
    shares = {}
    for code in codes:
        mine_ns = there[code] * length_ns / np.maximum(wanted, 1)
        oncpu, preempted, blocked, awaiting = (round(float((n * mine_ns).sum())) for n in (*doing, left))
        shares[code] = Parts(oncpu, preempted, blocked, awaiting)
    idle = (there[name] - each for name, each in zip(("oncpu", "preempted"), doing, strict=False))
    rest = [int((each.clip(0) * length_ns).sum()) for each in idle]
    free = (holder < 0) & (waits.why == Off.BLOCKED)
    blocked_ns = int((waits.end_ns - waits.start_ns)[free].sum() - (doing[2] * length_ns).sum())
    return shares, Parts(rest[0], rest[1], max(0, blocked_ns), 0)


def _count_threads(line: _Line, served: Served, others: Bools, waits: Waits, holder: Integers) -> None:
    """Those that serve no request that is accounted already. A thread is on the CPU wherever it is not off it."""
    servers = served.server[served.server < NOBODYS]  # of the others perf knows, by another number
    line.there_at_once("oncpu", len(np.union1d(waits.tid, servers)))
    line.count("oncpu", waits.start_ns, waits.end_ns, -1)
    line.count("oncpu", served.start_ns[~others], served.end_ns[~others], -1)
    within = holder >= 0
    until_ns = np.minimum(waits.end_ns[within], served.end_ns[holder[within]])
    line.count("oncpu", waits.start_ns[within], until_ns, +1)
    known = np.isin(waits.tid, waits.tid[waits.why == Off.IDLE])
    for name, mine in (
        ("preempted", waits.why == Off.PREEMPTED),
        ("blocked", (waits.why == Off.BLOCKED) & known),
    ):
        line.count(name, waits.start_ns[mine & ~within], waits.end_ns[mine & ~within])


class _Line:
    """How many there are of each of some things, at every moment of a window."""

    def __init__(self, window_ns: tuple[int, int]) -> None:
        self._window_ns = window_ns
        self._columns: list[tuple[Integers, int, int]] = [(np.array(window_ns, np.int64), 0, -1)]
        self._names: dict[str | int, int] = {}
        self._first: dict[str | int, int] = {}

    def there_at_once(self, what: str | int, number: int) -> None:
        self._first[what] = number

    def count(self, what: str | int, start_ns: Integers, end_ns: Integers, step: int = 1) -> None:
        number = self._names.setdefault(what, len(self._names))
        for times, by in ((start_ns, step), (end_ns, -step)):
            self._columns.append((np.clip(times, *self._window_ns), by, number))

    def steps(self) -> tuple[Integers, dict[str | int, Integers]]:
        """(lengths of the stretches in which nothing changes, name -> how many there are in each)."""
        times = np.concatenate([at for at, _, _ in self._columns])
        step = np.concatenate([np.full(len(at), by, np.int8) for at, by, _ in self._columns])
        what = np.concatenate([np.full(len(at), number, np.int16) for at, _, number in self._columns])
        order = np.argsort(times, kind="stable")
        times, step, what = times[order], step[order], what[order]
        there = {
            name: self._first.get(name, 0) + np.cumsum(np.where(what == number, step, 0), dtype=np.int64)[:-1]
            for name, number in self._names.items()
        }
        return np.diff(times), there
