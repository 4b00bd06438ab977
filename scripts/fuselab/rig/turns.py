"""Several runs at once, whose loads take turns: every variant is mounted, and only one load runs at a time.

Each run waits at its load in a control group of its own, which the kernel's freezer stops (cgroup.freeze of version 2).
The first slices of time give every load the time to begin; then they change sides, round by round, and what each did
is read at the edges.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from fuselab.errors import RigError
from fuselab.files import closing
from fuselab.records.request import RunRequest
from fuselab.records.run import RunRecord
from fuselab.records.slices import Slice
from fuselab.rig import environment
from fuselab.rig.placement import Placement, pinned, placements
from fuselab.rig.run import Signals, Started, limit_s, signalled, started
from fuselab.system import procfs
from fuselab.system.cgroup import Group, new_group

SETTLE_SHARE = 0.1
"""Of a slice: how long a load that is continued runs, pinned to the CPUs of its round, before its figures count."""
_BEGIN_BYTES = 64 << 10
"""What the processes of a load that are not its first have moved when it has begun."""
_BEGIN_S = 30.0
_POLL_S = 0.002
_FREEZE_POLL_S = 0.0002


@dataclass(frozen=True)
class Taken:
    """What came of the runs. Slices are there of all turns, or none: where one fails, the others are ended."""

    records: Mapping[str, RunRecord]
    """Of those that came to an end by themselves."""
    slices: tuple[Slice, ...] = ()
    noise: str | None = None
    """Why the machine was too busy for them to count."""


class _EndedError(Exception):
    """A run has ended before its turns were over."""


def take_turns(requests: Mapping[str, RunRequest], rounds: Sequence[Sequence[str]], slice_s: float) -> Taken:
    """Make the runs of `requests` together, with turns in the order of `rounds`.

    Raises RigError if this machine cannot make them; KeyboardInterrupt or SystemExit after a signal.
    """
    failed = False
    with ExitStack() as stack:
        signals = stack.enter_context(signalled())
        proc = stack.enter_context(closing(procfs.open_proc()))
        sides: dict[str, _Side] = {}
        slices: tuple[Slice, ...] = ()
        noise = None
        try:
            for name, request in requests.items():
                sides[name] = _side(stack, name, request)
                signals.follow(sides[name].run)
                sides[name].await_ready(signals)
            first = next(iter(requests.values()))
            environment.gate(
                Path(first.state_root), time.monotonic(), environment.pressure(), first.gate_limit_s
            )
            for side in sides.values():
                side.begin(signals)
            before = _sample(proc)
            places = placements(len(rounds), *_allowed(first), first.load.randseed)
            slices = tuple(_turns(sides, zip(rounds, places, strict=True), slice_s, signals))
            noise = environment.noise(before, _sample(proc))
        except _EndedError:
            failed = True
        for side in sides.values():
            side.end(signals, well=not failed)
    signals.raise_if_any()
    if failed and not any(side.by_itself for side in sides.values()):
        raise RigError(f"the runs of {', '.join(sides)} could not take turns: none was ready in its time")
    return Taken(
        {name: side.run.outcome() for name, side in sides.items() if not failed or side.by_itself},
        () if failed else slices,
        noise,
    )


def _side(stack: ExitStack, name: str, request: RunRequest) -> _Side:
    group = stack.enter_context(new_group())
    if group is None or not group.can_freeze:
        raise RigError(
            "`design: slices` stops loads by the freezer of control groups, version 2, which only root may use: call "
            "as root where /sys/fs/cgroup has such a hierarchy, or use `design: blocks`"
        )
    group.freeze(True)
    run = stack.enter_context(started(replace(request, load_group=str(group.path))))
    return _Side(name, run, group)


@dataclass
class _Side:
    """One variant: its run, and the group of its load."""

    name: str
    run: Started
    load: Group
    by_itself: bool = False
    """Whether its run has ended though nobody asked it to."""
    _waiting: frozenset[int] = frozenset()
    """Who has joined the group of the load to wait for its turn: the run, and not the load."""
    _services: tuple[int, ...] = ()
    _known: dict[int, tuple[int, int]] = field(default_factory=dict)
    _gone: tuple[int, int] = (0, 0)

    def await_ready(self, signals: Signals) -> None:
        """Until all is mounted: the run has joined the group of its load, and stops there."""
        deadline = time.monotonic() + limit_s(self.run.request)
        while not self.load.pids():
            self.require(signals, deadline)
            time.sleep(_POLL_S)
        self._waiting = frozenset(self.load.pids())
        beside = procfs.family(self.run.process.pid) - self._waiting
        known = self.run.group.pids() if self.run.group is not None else set()
        self._services = tuple(sorted(beside - known - {self.run.process.pid}))

    def begin(self, signals: Signals) -> None:
        """Let the load run alone until it does I/O; what it needs until then is not measured."""
        deadline = time.monotonic() + _BEGIN_S
        self.load.freeze(False)
        while not self._has_begun() and time.monotonic() < deadline:
            self.require(signals)
            time.sleep(_POLL_S)
        self.stop(signals)

    def _has_begun(self) -> bool:
        """The first process of a load reads its job and lays out files; the ones that it forks do I/O."""
        members = sorted(self.load.pids() - self._waiting)
        moved = [sum(_moved(pid)) for pid in members[1:]]
        return bool(moved) and all(moved) and sum(moved) >= _BEGIN_BYTES

    def go_on(self, place: Placement, seconds: float) -> None:
        """Let the load run again, with everybody pinned to the CPUs of `place` for so long."""
        with pinned([(place.load, self.load.pids), (place.target, self._beside_load)]):
            self.load.freeze(False)
            time.sleep(seconds)

    def stop(self, signals: Signals) -> None:
        """Until every process of the load has stopped: one that waits for an answer does so when it is there."""
        self.load.freeze(True)
        while not self.load.frozen:
            self.require(signals)
            time.sleep(_FREEZE_POLL_S)

    def end(self, signals: Signals, well: bool) -> None:
        """Let the load end, and the run with it; or end the run, if not `well`."""
        self.by_itself = well or self.run.ended(0)
        if not self.by_itself:
            self.run.ask_to_end()
        for pid in sorted(self.load.pids())[:1] if well else ():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGINT)
        self.load.freeze(False)
        self.run.wait(signals)

    def moved(self) -> tuple[int, int]:
        """Bytes read and written by the load until now: by processes that live, and as last seen of others."""
        now = {pid: _moved(pid) for pid in self.load.pids()}
        for pid in self._known.keys() - now.keys():
            self._gone = _sum([self._gone, self._known[pid]])
        self._known = now
        return _sum([self._gone, *now.values()])

    def cpu_s(self) -> float:
        """Of target and services."""
        own = self.run.group.cpu_s() if self.run.group is not None else 0.0
        return own + sum(map(_cpu_s, self._services))

    def disk_bytes(self) -> int:
        return sum(map(_disk_bytes, self._beside_load()))

    def _beside_load(self) -> set[int]:
        """Processes of target and services."""
        group = self.run.group.pids() if self.run.group is not None else set()
        return group.union(self._services)

    def require(self, signals: Signals, deadline: float | None = None) -> None:
        if signals.caught or self.run.ended(0) or (deadline is not None and time.monotonic() > deadline):
            raise _EndedError


def _turns(
    sides: Mapping[str, _Side],
    rounds: Iterable[tuple[Sequence[str], Placement]],
    slice_s: float,
    signals: Signals,
) -> Iterable[Slice]:
    began, number = time.monotonic(), 0
    so_far = {name: (side.cpu_s(), side.disk_bytes()) for name, side in sides.items()}
    for nth, (order, place) in enumerate(rounds, 1):
        for whose in order:
            number += 1
            side = sides[whose]
            side.go_on(place, SETTLE_SHARE * slice_s)
            at_s, before = time.monotonic(), side.moved()
            time.sleep((1 - SETTLE_SHARE) * slice_s)
            seconds, after = time.monotonic() - at_s, side.moved()
            side.stop(signals)
            for name, each in sides.items():
                each.require(signals)
                now = (each.cpu_s(), each.disk_bytes())
                own = name == whose
                yield Slice(
                    slice=number,
                    round=nth,
                    whose=whose,
                    at_s=round(at_s - began, 6),
                    seconds=seconds,
                    variant=name,
                    read_bytes=after[0] - before[0] if own else 0,
                    written_bytes=after[1] - before[1] if own else 0,
                    cpu_s=now[0] - so_far[name][0],
                    disk_bytes=now[1] - so_far[name][1],
                    load_cpu=place.load,
                    target_cpu=place.target,
                )
                so_far[name] = now


def _allowed(request: RunRequest) -> tuple[set[int], set[int]]:
    """The CPUs of a load, and of its target."""
    ours, cpus = os.sched_getaffinity(0), request.mount.cpus
    return set(cpus.load) or ours, set(cpus.target) or ours


def _sample(proc: int) -> environment.Sample:
    """Of the machine, without us and all that we have started."""
    return environment.sample(proc, os.getpid())


def _moved(pid: int) -> tuple[int, int]:
    """(read, written) by system calls, page cache included (`rchar` and `wchar` of proc_pid_io(5))."""
    with suppress(OSError, ValueError):
        moved = procfs.io(pid)
        return moved["rchar"], moved["wchar"]
    return 0, 0


def _sum(pairs: Iterable[tuple[int, int]]) -> tuple[int, int]:
    first, second = zip(*pairs, strict=True)
    return sum(first), sum(second)


def _cpu_s(pid: int) -> float:
    with suppress(OSError):
        return procfs.cpu_clock_s(pid)
    return 0.0


def _disk_bytes(pid: int) -> int:
    with suppress(OSError, ValueError, KeyError):
        done = procfs.doings(pid)
        return done.disk_read_bytes + done.disk_write_bytes
    return 0
