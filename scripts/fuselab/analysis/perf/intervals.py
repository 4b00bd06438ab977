"""When each thread of a target was off the CPU, and where a sample found it on it: moments instead of sums."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from fuselab.analysis.perf.stacks import RawStack
from fuselab.analysis.quality import NamedStack

Integers = NDArray[np.int64]
Key = tuple[str, RawStack]
"""A thread's name and where it was."""
NOWHERE: Key = ("", RawStack(""))


class Off(IntEnum):
    """Why a thread was off the CPU."""

    BLOCKED = 0
    PREEMPTED = 1
    IDLE = 2
    ABSENT = 3
    """Not born yet, dead, or off since before the recording began: for what is not known."""


@dataclass(frozen=True)
class Waits:
    """Every time a thread was off the CPU, one element each. Between them it was on it."""

    tid: Integers
    start_ns: Integers
    end_ns: Integers
    why: Integers
    """Values of `Off`."""
    stack: Integers
    """Of `stacks`."""
    stacks: Sequence[tuple[str, ...]]
    """Root first, without the thread's name."""


@dataclass(frozen=True)
class Moments:
    """Samples of CPU time, one element each."""

    tid: Integers
    time_ns: Integers
    ns: Integers
    stack: Integers
    stacks: Sequence[tuple[str, ...]]


@dataclass
class Log:
    """Rows of integers that end in a stack, while a recording is read."""

    rows: array[int] = field(default_factory=lambda: array("q"))
    keys: dict[Key, int] = field(default_factory=dict)

    def add(self, *numbers: int, at: Key = NOWHERE) -> None:
        self.rows.extend((*numbers, self.keys.setdefault(at, len(self.keys))))

    def columns(self, width: int) -> list[Integers]:
        """The numbers of every row, and the number of its key."""
        table = np.array(self.rows, np.int64).reshape(-1, width + 1)
        return [np.ascontiguousarray(table[:, column]) for column in range(width + 1)]

    def functions(self, named: Mapping[RawStack, NamedStack]) -> list[tuple[str, ...]]:
        """The stack of every key."""
        return [named[raw].functions if raw in named else () for _, raw in self.keys]
