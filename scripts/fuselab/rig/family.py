"""Which processes are the target's, and what they use: all of them, those that left their parents included."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from fuselab.system import procfs
from fuselab.system.cgroup import Group


class Family:
    """The target of one run: the members of its group.

    Without a group: whatever lives in the run's pid namespace and was not started by the rig for another purpose.
    """

    def __init__(self, group: Group | None) -> None:
        self.group = group if group is not None and _usable(group) else None
        self.seen: set[int] = set()
        """Pids of all that any look has found."""
        self._roots: set[int] = set()
        self._peaks: dict[int, int] = {}

    @contextmanager
    def starting(self) -> Iterator[None]:
        """What is started in this block is the target's."""
        if self.group is None:
            yield
            return
        with self.group.joined():
            yield

    def add(self, *pids: int) -> None:
        """Processes that are known to be the target's: it was started, or found as who serves the mount."""
        self._roots.update(pids)

    def pids(self) -> set[int]:
        """Those that live."""
        return self.group.pids() if self.group is not None else self._others_of_ours(procfs.own_processes())

    def cpu_s(self) -> float:
        """User and system time until now.

        Without a group, of processes that have ended only what their parents have collected is known: those of the
        family, and the first process of the namespace, to which whoever has lost its parent falls.
        """
        if self.group is not None:
            return self.group.cpu_s()
        table = procfs.own_processes()
        total_s = table[1].children_s if 1 in table else 0.0
        for pid in self._others_of_ours(table):
            with suppress(OSError):  # ended in the meantime: its parent has its time
                total_s += procfs.cpu_clock_s(pid) + table[pid].children_s
        return total_s

    def look(self) -> None:
        """Note who lives, and how large each has been: of a process that ends, nobody can ask later."""
        for pid in self.pids():
            self.seen.add(pid)
            if (peak := procfs.rss_peak_bytes(pid)) is not None:
                self._peaks[pid] = max(peak, self._peaks.get(pid, 0))

    def rss_peak_bytes(self) -> int | None:
        """The peaks of all that any look has found, added up; None if nothing is known."""
        return sum(self._peaks.values()) or None

    def _others_of_ours(self, table: dict[int, procfs.ProcessTimes]) -> set[int]:
        """Everybody but the rig, what it started beside the target, and the sessions of these."""
        theirs = set().union(*(procfs.descendants(table, root) for root in self._roots))
        ours = {1, *procfs.descendants(table, os.getpid())} - theirs
        sessions = {table[pid].session for pid in ours & table.keys()}
        return {pid for pid, process in table.items() if pid not in ours and process.session not in sessions}


class Served(Family):
    """The processes of a service, or of a load: the members of a group of their own.

    Without a group: whoever descends from those that are known.
    """

    def _others_of_ours(self, table: dict[int, procfs.ProcessTimes]) -> set[int]:
        return set().union(*(procfs.descendants(table, root) for root in self._roots)) & table.keys()


def _usable(group: Group) -> bool:
    try:
        with group.joined():
            return True
    except OSError:
        return False
