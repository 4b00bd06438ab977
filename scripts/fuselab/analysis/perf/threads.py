"""The names of threads while a perf.data was recorded, at every time."""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from fuselab.analysis.perf.data import COMM, FORK, PerfData


@dataclass(frozen=True)
class ThreadNames:
    """How each thread was called: as the one that made it, until it (or a program it became) took another name."""

    _times: Mapping[int, list[int]]
    """CLOCK_MONOTONIC of every change, by thread id."""
    _names: Mapping[int, list[str]]

    def at(self, tid: int, time_ns: int) -> str:
        """The name of a thread at a time: its first before all that the recording says of it, and "?" where it says
        nothing."""
        if tid not in self._names:
            return "?"
        return self._names[tid][max(bisect_right(self._times[tid], time_ns) - 1, 0)]


def thread_names(file: PerfData) -> ThreadNames:
    times: dict[int, list[int]] = defaultdict(list)
    names: dict[int, list[str]] = defaultdict(list)
    for time_ns, kind, _, at, _ in file.timed(COMM, FORK):
        if kind == COMM:
            tid, name = file.thread_name(at)
        else:
            tid, parent = struct.unpack_from("<II", file.content, at + 16)
            # Forks of time 0 are written by perf itself, for threads that are there already and have a name.
            name = names[parent][-1] if time_ns and names[parent] else ""
        if name:
            times[tid].append(time_ns)
            names[tid].append(name)
    return ThreadNames(times, {tid: called for tid, called in names.items() if called})
