"""Counting what fixed work makes the target and its services do: work.json. Nothing here has a clock in it.

It begins when both are at rest, right before the load does its work, and ends when what the load has left to do is
done: dirty pages are written back, no request is on its way, and every thread sleeps. The unmount and what a program
does as it ends are not in it: they are the same for every load, and threads that shut down never do it twice alike.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING

from fuselab.errors import CannotLookError, FuselabError, ProfileError
from fuselab.files import write_json
from fuselab.records.places import WORK
from fuselab.records.work import COUNTERS, Counted, Work
from fuselab.rig import counters
from fuselab.rig.counters import Readings, Tally
from fuselab.rig.family import Family
from fuselab.rig.load import Doing, do_load
from fuselab.rig.session import Session
from fuselab.system import kernel, procfs
from fuselab.system.process import pause_s
from fuselab.targets.model import service_name
from fuselab.workloads import reading

if TYPE_CHECKING:
    from fuselab.profilers.base import Window
    from fuselab.profilers.perf_counts import Counts, PerfCount

_REST_S = 1.0
"""How long to wait until everything rests: a store's heartbeats are never still for long."""
_LOOKS = 3
"""So often in a row all threads must be found asleep: one may wake another between two looks."""
_AT_WORK = frozenset("RD")
NOT_AT_REST = f"the target was still at work {_REST_S:g} s after the load: what it did then was not counted"


@dataclass
class Party:
    """The target, or a service, while it is counted."""

    family: Family
    counts: Sequence[PerfCount]
    totals: dict[str, float] = field(default_factory=dict)
    families: dict[str, Mapping[str, float]] = field(default_factory=dict)
    unavailable: dict[str, str] = field(default_factory=dict)
    """Of what could not be counted: why."""

    @property
    def names(self) -> list[str]:
        """Of what is counted of it, but for what its program counts itself."""
        perf = [name for count in self.counts for name in count.names]
        return [*perf, *(f.name for f in fields(procfs.Doings)), "cpu_ns", "peak_memory_bytes"]

    def add(self, counts: Counts) -> None:
        self.totals |= counts.totals
        self.families |= counts.families
        self.unavailable |= counts.unavailable

    def add_own(self, tally: Tally) -> None:
        """What its program counts itself."""
        if tally.counts:
            self.families[COUNTERS] = tally.counts
        if tally.unavailable:
            self.unavailable[COUNTERS] = tally.unavailable


def count_load(at: Session, work: Doing) -> None:
    """Do `work`, as `do_load`, and leave what was counted in `work.json`. Raises what `do_load` raises."""
    target, services = _parties(at)
    parties = [target, *services.values()]
    if not at.targets:
        target.unavailable |= dict.fromkeys(target.names, "nothing is mounted: the load is in a plain folder")
    before = _count(at, work, parties if at.targets else [])
    after = counters.read(at)
    target.add_own(counters.between(before.target, after.target))
    for role, service in services.items():
        service.add_own(counters.between(before.services.get(role, ()), after.services.get(role, ())))
    write_json(at.place.out / WORK, _work(at, target, services))


def _parties(at: Session) -> tuple[Party, dict[str, Party]]:
    """The target, and each service by what it is to the backend."""
    from fuselab.profilers.perf_counts import OF_SERVICE, OF_TARGET

    served = {role: Party(family, OF_SERVICE) for role, family in at.place.served.items()}
    return Party(at.place.family, OF_TARGET), served


def _count(at: Session, work: Doing, parties: Sequence[Party]) -> Readings:
    """What programs said of themselves before the work."""
    with ExitStack() as stack:
        roots = stack.enter_context(_opened(target.mountpoint for target in at.targets))
        perfs = [_Perf(at, stack, party, count) for party in parties for count in party.counts]
        _at_once(_Perf.start, perfs)
        own: list[Readings] = []
        edges: list[_Edge] = []

        def begin() -> None:
            own.append(counters.read(at))
            _rest(at, parties, roots)
            for perf in perfs:
                perf.open()
            edges.extend(_Edge(party) for party in parties)

        do_load(at, work, begin)
        if not _rest(at, parties, roots):
            at.place.recorder.mark(NOT_AT_REST)
        for edge in edges:
            edge.close()
        for perf in perfs:
            perf.close()
        _at_once(_Perf.read, perfs)
        return own[0]


def _work(at: Session, target: Party, services: Mapping[str, Party]) -> Work:
    load = at.place.request.load
    traffic = reading.traffic(load.kind, at.place.out)
    theirs = {
        f"{service_name(role)}.{name}": why
        for role, service in services.items()
        for name, why in service.unavailable.items()
    }
    return Work(
        operations=traffic.operations,
        bytes=traffic.bytes,
        written_bytes=traffic.by_direction.get("write", (0, 0))[1],
        target=Counted(target.totals, target.families),
        services={role: Counted(each.totals, each.families) for role, each in services.items()},
        unavailable={**target.unavailable, **theirs},
    )


@contextmanager
def _opened(mountpoints: Iterable[Path]) -> Iterator[list[int]]:
    """The roots of mounts, opened before anything is counted: to open one is a request too."""
    with ExitStack() as stack:
        roots = []
        for mountpoint in mountpoints:
            with suppress(OSError):  # it lets nobody look: then its dirty pages are not waited for
                roots.append(os.open(mountpoint, os.O_RDONLY))
                stack.callback(os.close, roots[-1])
        yield roots


def _rest(at: Session, parties: Sequence[Party], roots: Sequence[int]) -> bool:
    """Wait until nothing of the load is left to do; whether that was so in time."""
    for root in roots:
        kernel.sync(root, kernel.SYNC_LIMIT_S)
    started, looks = time.monotonic(), 0
    while looks < _LOOKS:
        if time.monotonic() > started + _REST_S:
            return False
        looks = looks + 1 if _rests(at, parties) else 0
        time.sleep(pause_s(started, started + _REST_S))
    return True


def _rests(at: Session, parties: Sequence[Party]) -> bool:
    if any(kernel.waiting(target.mount.device) for target in at.targets):
        return False
    threads = (tid for party in parties for pid in party.family.pids() for tid in procfs.threads(pid))
    return not any(procfs.thread_state(tid) in _AT_WORK for tid in threads)


class _Edge:
    """What the kernel has written down of a party before the load, and what it has at its end."""

    def __init__(self, party: Party) -> None:
        self._party = party
        party.family.look()
        self._cpu_s, self._before = party.family.cpu_s(), _doings(party.family)

    def close(self) -> None:
        party, after = self._party, _doings(self._party.family)
        party.totals["cpu_ns"] = round(1e9 * (party.family.cpu_s() - self._cpu_s))
        party.family.look()
        if (peak := party.family.rss_peak_bytes()) is not None:
            party.totals["peak_memory_bytes"] = peak
        names = [f.name for f in fields(procfs.Doings)]
        if reason := self._gone(after):
            party.unavailable |= dict.fromkeys(names, reason)
            return
        for name in names:
            before = sum(getattr(each, name) for each in self._before.values())
            party.totals[name] = sum(getattr(each, name) for each in after.values()) - before

    def _gone(self, after: Mapping[int, procfs.Doings]) -> str:
        """Why the sums do not hold; "" if they do."""
        if not after:
            return "what its processes have done is not for this user to see"
        return "a process ended while it was counted" if self._before.keys() - after.keys() else ""


def _doings(family: Family) -> dict[int, procfs.Doings]:
    found = {}
    for pid in family.pids():
        with suppress(OSError):  # ended, or of another account
            found[pid] = procfs.doings(pid)
    return found


class _Perf:
    """A perf that counts for a party, or the reason why it does not."""

    def __init__(self, at: Session, stack: ExitStack, party: Party, count: PerfCount) -> None:
        self._at, self._party, self._count, self._end = at, party, count, ExitStack()
        self._name = f"count-{id(self)}"
        self._window: Window | None = None
        stack.push(self._end)

    def start(self) -> None:
        from fuselab.profilers.perf_record import Watched
        from fuselab.profilers.perf_session import controlled

        missing = self._count.missing()
        self._party.unavailable |= missing
        if missing.keys() >= set(self._count.names):
            return
        group = self._party.family.group
        whom = Watched(tuple(sorted(self._party.family.pids())), None if group is None else group.name)
        connections = [kernel.connection(target.mount.device).number for target in self._at.targets]

        def argv(perf: str, output: Path) -> list[str]:
            return self._count.argv(perf, whom, connections, output)

        with self._told():
            self._window = self._end.enter_context(controlled(argv, self._folder, self._name))

    def open(self) -> None:
        with self._told():
            if self._window is not None:
                self._window.open()

    def close(self) -> None:
        with self._told():
            if self._window is not None:
                self._window.close()

    def read(self) -> None:
        """perf completes its file, and what it says is added."""
        with self._told():
            self._end.close()
            if self._window is not None:
                self._party.add(self._count.read(self._folder / f"{self._name}.data"))

    @property
    def _folder(self) -> Path:
        return self._at.place.state.scratch

    @contextmanager
    def _told(self) -> Iterator[None]:
        """What goes wrong here is no failure of the run: it is the reason why something was not counted."""
        try:
            yield
        except (FuselabError, CannotLookError) as error:
            self._missing(str(error).replace("\n", ": ", 1))
        except ProfileError as error:
            self._missing(error.reason)

    def _missing(self, reason: str) -> None:
        self._window = None
        self._party.unavailable |= dict.fromkeys(self._count.names, reason)


def _at_once(do: Callable[[_Perf], None], perfs: Sequence[_Perf]) -> None:
    """perf takes its time to start and to end: of several, together."""
    with ThreadPoolExecutor(max(1, len(perfs))) as pool:
        list(pool.map(do, perfs))
