"""What came from outside while a run was looked at: a process stopped, the machine suspended, its clock set.

Whoever looks does it in steps of `STEP_S`, and so notices that it was not let run itself.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from fuselab.system import procfs

STEP_S = 0.5
"""Between two looks: shorter than any stop that must not be missed of a process that is no child of ours."""
LATE_S = 0.7
"""A look that comes later than this after its time: nothing of the rig ran. A busy machine delays by hundredths."""
SUSPENDED_S = 0.05
CLOCK_SET_S = 0.1
"""More than ntpd's slewing changes between two looks (0.25 ms), less than anybody sets a clock by."""
_STOPPED = "T"

_continued: list[float] = []


def listen() -> None:
    """Note when this process is continued: whatever stopped it, the kernel sends SIGCONT to its end."""
    signal.signal(signal.SIGCONT, lambda *_: _continued.append(time.monotonic()))


@dataclass(frozen=True)
class Clocks:
    """In seconds. BOOTTIME goes on while the machine is suspended, MONOTONIC does not; REALTIME can be set."""

    monotonic_s: float
    boottime_s: float
    realtime_s: float

    @classmethod
    def now(cls) -> Clocks:
        clocks = (time.CLOCK_MONOTONIC, time.CLOCK_BOOTTIME, time.CLOCK_REALTIME)
        return cls(*map(time.clock_gettime, clocks))


class Disturbance:
    """Collects what disturbed; `words` says it, each kind once."""

    def __init__(self, clocks: Clocks | None = None) -> None:
        self._begun_s = time.monotonic()
        self._last = clocks or Clocks.now()
        self._late_s = 0.0
        self._said: dict[str, None] = {}

    @property
    def words(self) -> str | None:
        """Asked in the main thread, which is where Python notes signals."""
        ours = []
        if any(at_s >= self._begun_s for at_s in _continued):
            ours = ["the rig itself was stopped from outside"]
        elif self._late_s > LATE_S:
            ours = [f"nothing of the rig ran for {self._late_s:.1f} s"]
        return "; ".join([*ours, *self._said]) or None

    def look(
        self,
        table: Mapping[int, procfs.ProcessTimes],
        children: Iterable[int],
        clocks: Clocks | None = None,
    ) -> None:
        """`table`: of the run's processes; `children`: those of them that are ours to wait for."""
        now = clocks or Clocks.now()
        self._time(now)
        for pid, process in table.items():
            if process.state == _STOPPED:
                self._stopped(process.name, pid)
        for pid in children:
            if _was_continued(pid) and pid in table:
                self._stopped(table[pid].name, pid)
        self._last = now

    def _stopped(self, name: str, pid: int) -> None:
        self._say(f"{name} (pid {pid} of the run) was stopped from outside")

    def _time(self, now: Clocks) -> None:
        passed_s = now.monotonic_s - self._last.monotonic_s
        slept_s = now.boottime_s - self._last.boottime_s - passed_s
        set_s = now.realtime_s - self._last.realtime_s - passed_s - slept_s
        self._late_s = max(self._late_s, passed_s - STEP_S)
        if slept_s > SUSPENDED_S:
            self._say(f"the machine was suspended for {slept_s:.1f} s")
        if abs(set_s) > CLOCK_SET_S:
            self._say(f"the machine's clock was set by {set_s:+.1f} s")

    def _say(self, text: str) -> None:
        self._said[text] = None


def _was_continued(pid: int) -> bool:
    """Whether a child was stopped and continued since this was asked last: the kernel keeps that for its parent."""
    with suppress(ChildProcessError):
        return os.waitid(os.P_PID, pid, os.WCONTINUED | os.WNOHANG) is not None
    return False
