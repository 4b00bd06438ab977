"""On which CPUs a slice begins: the same for every variant of a round, and new for the next.

Where a load and its filesystem run is chosen by the kernel when they wake each other, and then stays so for seconds:
both on one CPU, or on two, which can make a factor of three. A variant that happens to have the better place keeps it
for much of a block. So for the first moments of a slice, which are not measured, all threads are put on the CPU that
every variant of the round begins on, and are then free again.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass

from fuselab.system import procfs


@dataclass(frozen=True)
class Placement:
    """Where the threads of a slice begin."""

    load: int
    target: int
    """Its services begin here too."""


def placements(
    rounds: int, load: Collection[int], target: Collection[int], seed: int
) -> tuple[Placement, ...]:
    """Of each round, where the two may use the CPUs `load` and `target`: one CPU for both if there is one.

    Apart, each wakes the other on a CPU where others may be waiting too: on a busy machine, most of what is then
    measured is how long they wait.
    """
    chance, both = random.Random(f"placements {seed}"), sorted(set(load) & set(target))
    if both:
        return tuple(Placement(cpu, cpu) for cpu in chance.choices(both, k=rounds))
    return tuple(Placement(chance.choice(sorted(load)), chance.choice(sorted(target))) for _ in range(rounds))


@contextmanager
def pinned(placed: Iterable[tuple[int, Callable[[], Collection[int]]]]) -> Iterator[None]:
    """Each of `placed` is a CPU, and asks for processes: their threads are pinned to it while the block runs.

    Afterwards every thread may run where it might before: who has chosen CPUs for itself, and not this one, is never
    moved. Who began in between gets the CPUs of its process, or of the first that was there.
    """
    with ExitStack() as stack:
        for cpu, members in placed:
            stack.enter_context(_pinned(cpu, members))
        yield


@contextmanager
def _pinned(cpu: int, members: Callable[[], Collection[int]]) -> Iterator[None]:
    before: dict[int, set[int]] = {}
    try:
        for thread in _threads(members()):
            with suppress(OSError):
                before[thread] = os.sched_getaffinity(thread)
                if cpu in before[thread]:
                    os.sched_setaffinity(thread, {cpu})
        yield
    finally:
        _free(cpu, members, before)


def _free(cpu: int, members: Callable[[], Collection[int]], before: Mapping[int, set[int]]) -> None:
    """Who begins while its maker is still pinned to `cpu` is pinned there too; so look until there is nobody new."""
    first = next(iter(before.values()), {cpu})
    done: dict[int, int] = {}
    while left := _threads(members()).items() - done.items():
        for thread, pid in left:
            with suppress(OSError):
                if os.sched_getaffinity(thread) == {cpu}:
                    os.sched_setaffinity(thread, before.get(thread) or before.get(pid) or first)
        done |= dict(left)


def _threads(pids: Collection[int]) -> dict[int, int]:
    """Every thread of these processes, and whose it is."""
    return {thread: pid for pid in pids for thread in procfs.threads(pid)}
