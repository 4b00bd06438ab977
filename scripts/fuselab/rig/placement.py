"""On which CPUs a slice begins: the same for every variant of a round, and new for the next.

Where a load and its filesystem run is chosen by the kernel when they wake each other, and then stays so for seconds:
both on one CPU, or on two, which can make a factor of three. A variant that happens to have the better place keeps it
for much of a block. So for the first moments of a slice, which are not measured, all threads are put on the CPU that
every variant of the round begins on, and are then free again.
"""

from __future__ import annotations

import os
import random
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from fuselab.system import procfs


@dataclass(frozen=True)
class Seats:
    """Where the threads of a slice begin."""

    load: int
    target: int
    """Its services begin here too."""


def seats(rounds: int, load: Collection[int], target: Collection[int], seed: int) -> tuple[Seats, ...]:
    """Of each round, where the two may use the CPUs `load` and `target`: one CPU for both if there is one.

    Apart, each wakes the other on a CPU where others may be waiting too: on a busy machine, most of what is then
    measured is how long they wait.
    """
    chance, both = random.Random(f"seats {seed}"), sorted(set(load) & set(target))
    if both:
        return tuple(Seats(cpu, cpu) for cpu in chance.choices(both, k=rounds))
    return tuple(Seats(chance.choice(sorted(load)), chance.choice(sorted(target))) for _ in range(rounds))


@contextmanager
def seated(placed: Iterable[tuple[int, Collection[int]]]) -> Iterator[None]:
    """Each of `placed` is a CPU, and processes whose threads are kept on it while the block runs.

    Afterwards every thread may run where it might before: who has chosen CPUs for itself, and not this one, is never
    moved, and threads that begin in between get the CPUs of their process's first thread.
    """
    moved: dict[int, set[int]] = {}
    processes = [(cpu, pid) for cpu, pids in placed for pid in pids]
    try:
        for cpu, pid in processes:
            for thread in procfs.threads(pid):
                with suppress(OSError):
                    allowed = os.sched_getaffinity(thread)
                    if cpu in allowed and len(allowed) > 1:
                        moved[thread] = allowed
                        os.sched_setaffinity(thread, {cpu})
        yield
    finally:
        for cpu, pid in processes:
            _free(pid, cpu, moved)


def _free(pid: int, cpu: int, moved: dict[int, set[int]]) -> None:
    """A thread that begins while its maker is still kept on `cpu` is kept there too; so look until there is none."""
    done: set[int] = set()
    while left := set(procfs.threads(pid)) - done:
        for thread in left:
            with suppress(OSError):
                allowed = moved.get(thread) or moved.get(pid)
                if allowed and os.sched_getaffinity(thread) == {cpu}:
                    os.sched_setaffinity(thread, allowed)
        done |= left
