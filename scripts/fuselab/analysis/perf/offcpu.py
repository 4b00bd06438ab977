"""Off-CPU time by stack, from scheduler switches.

A thread that leaves the CPU gives a sched_switch sample with its stack and state, then a PERF_RECORD_SWITCH
OUT; its next PERF_RECORD_SWITCH IN ends the wait. State S or D (and the rarer T, t, P, I) is *blocked*: the
thread waits for something. R is *preempted*: it could run and was not let. What is blocked because there is nothing
to do is *idle*, and kept apart (`idle`).

What cannot be known: a thread that is off the CPU when perf begins to record stacks has left none. Its wait up to its
first return is counted in `before_window_ns`; one that never returns in the window is among `silent_threads`. perf
tells of switches from its own start to its own end, on a busy machine seconds before the window and behind it.

A thread that ends leaves the CPU once more, and mostly nothing tells of it: perf has let go of it by then, or its
parent has taken its exit status, and the kernel writes -1 for its number. Its last moment is PERF_RECORD_EXIT.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from fuselab.analysis.folded import Stacks
from fuselab.analysis.perf import script
from fuselab.analysis.perf.idle import is_idle
from fuselab.analysis.perf.intervals import Key, Log, Off, Waits
from fuselab.analysis.perf.stacks import RawStack, fold, name_stacks
from fuselab.analysis.quality import NamedStack, Quality, grade
from fuselab.analysis.symbols.symbolizer import Symbols
from fuselab.errors import LONGER, ProfileError

_STATE = re.compile(r"prev_state=([A-Za-z])")
_COMM = re.compile(r"PERF_RECORD_COMM: .*:(\d+)/(\d+)$")
_BORN = re.compile(r"PERF_RECORD_FORK\(\d+:(\d+)\)")
_ENDED = re.compile(r"PERF_RECORD_EXIT\(\d+:(\d+)\)")
_DEAD = frozenset("XZ")
_WHY = {"R": Off.PREEMPTED, **dict.fromkeys(_DEAD, Off.ABSENT)}
"""By state; a thread in any other waits for something."""
_SWITCH = re.compile(r"^PERF_RECORD_SWITCH(?:_CPU_WIDE)? (OUT|IN)\b")
"""Recorded by CPU, a switch also names whom it was to or from: that may be somebody else's thread, and is not read."""
_NO_STACK = RawStack("")


@dataclass(frozen=True)
class OffCpu:
    """Off-CPU time of one capture."""

    blocked: Stacks
    """Root first, beginning with the thread's name -> ns waited, for anything but work."""
    idle: Stacks
    """The same for threads that had nothing to do."""
    preempted: Stacks
    """The same for time in which the thread could have run."""
    switches: int
    """Times a thread left the CPU."""
    lost: int
    """Samples and switches that the kernel could not store: their time is missing or has no stack."""
    blocked_ns: int
    idle_ns: int
    preempted_ns: int
    without_stack_ns: int
    """Part of the first and the last whose sched_switch sample is missing; folded as `[no stack]`."""
    before_window_ns: int
    """Waits that began before the window, up to the thread's first return: in none of the stacks."""
    open_ns: int
    """Part of all three that was still going on when the window ended."""
    threads: int
    silent_threads: int
    """Threads that neither left nor entered a CPU in the window: off it all the time, or on it all the time."""
    quality: Quality
    waits: Waits
    """Each by itself."""


@dataclass
class _Thread:
    """A thread while its switches are read."""

    comm: str = ""
    stack: RawStack | None = None
    """Of the sched_switch sample whose OUT has not come yet."""
    state: str = "?"
    out_ns: int | None = None
    seen: bool = False
    born_ns: int = 0
    """When it began, if that was in the window and it has not been on a CPU yet."""
    ended_ns: int = 0
    """Its last moment, if that is known."""


@dataclass
class _Ledger:
    """Waits of all threads, while a file is read."""

    start_ns: int | None
    """Of the window, if it is known."""
    blocked: Counter[Key] = field(default_factory=Counter)
    preempted: Counter[Key] = field(default_factory=Counter)
    log: Log = field(default_factory=Log)
    """Rows of thread, start, end, why."""
    threads: defaultdict[int, _Thread] = field(default_factory=lambda: defaultdict(_Thread))
    outs: int = 0
    before_window_ns: int = 0
    open_ns: int = 0
    first_ns: int = 0
    last_ns: int = 0

    def sample(self, header: script.Header, stack: RawStack) -> None:
        """A thread is about to leave the CPU."""
        *_, fields = header.event()
        thread = self._touch(header)
        thread.stack = stack
        match = _STATE.search(fields)
        thread.state = match[1] if match else "?"

    def born(self, tid: int, time_ns: int) -> None:
        """A thread that begins in the window was nowhere before it; others than the target's begin too."""
        if not self._before_window(time_ns):
            self.threads[tid].seen = True
            self.threads[tid].born_ns = time_ns

    def ended(self, tid: int, time_ns: int) -> None:
        """Whoever is known here is on no CPU from now on."""
        if self._before_window(time_ns):
            self.threads.pop(tid, None)
        elif tid in self.threads:
            self.threads[tid].ended_ns = time_ns

    def switch(self, header: script.Header, way: str) -> None:
        """A thread has left or entered the CPU."""
        if self._before_window(header.time_ns) and (way == "IN" or self.threads[header.tid].stack is None):
            self.threads[header.tid] = _Thread()
            return
        first = not self.threads[header.tid].seen
        if way == "IN" and self.threads[header.tid].born_ns:
            self.threads[header.tid].born_ns = header.time_ns
        thread = self._touch(header)
        if way == "OUT":
            self.outs += 1
            thread.out_ns = header.time_ns
            if thread.stack is None:
                thread.stack, thread.state = _NO_STACK, "R" if "preempt" in header.rest else "S"
        elif thread.out_ns is not None:
            self._close(header.tid, thread, header.time_ns)
        else:
            # Its departure was lost, or lies before the window.
            thread.stack = None
            if first:
                self.before_window_ns += self._absent(header.tid, header.time_ns)

    def finish(self, end_ns: int) -> None:
        """Waits that are still going on count up to the end of the window."""
        for tid, thread in self.threads.items():
            if thread.out_ns is not None and end_ns > thread.out_ns:
                since_ns = max(thread.out_ns, self.start_ns or 0)
                self.open_ns += end_ns - since_ns if thread.state not in _DEAD else 0
                self._close(tid, thread, end_ns)
            elif thread.out_ns is None and not thread.born_ns and 0 < thread.ended_ns < end_ns:
                self.log.add(tid, thread.ended_ns, end_ns, Off.ABSENT)

    def _touch(self, header: script.Header) -> _Thread:
        self.first_ns = self.first_ns or header.time_ns
        self.last_ns = max(self.last_ns, header.time_ns)
        thread = self.threads[header.tid]
        thread.comm, thread.seen = header.comm, True
        if thread.born_ns:
            self._absent(header.tid, thread.born_ns)
            thread.born_ns = 0
        if thread.ended_ns:
            thread.ended_ns = header.time_ns
        return thread

    def _absent(self, tid: int, until_ns: int) -> int:
        """How long a thread was not there, from the beginning of the window."""
        since_ns = self.first_ns if self.start_ns is None else self.start_ns
        self.log.add(tid, since_ns, until_ns, Off.ABSENT)
        return until_ns - since_ns

    def _before_window(self, time_ns: int) -> bool:
        return self.start_ns is not None and time_ns < self.start_ns

    def _close(self, tid: int, thread: _Thread, now_ns: int) -> None:
        assert thread.out_ns is not None
        since_ns = max(thread.out_ns, self.start_ns or 0)
        key = (thread.comm, thread.stack or _NO_STACK)
        why = _WHY.get(thread.state, Off.BLOCKED)
        self.log.add(tid, since_ns, now_ns, why, at=key)
        if why is not Off.ABSENT:
            waits = self.preempted if why is Off.PREEMPTED else self.blocked
            waits[key] += now_ns - since_ns
        thread.stack, thread.out_ns = None, None


def read_offcpu(
    perf_program: str,
    data: Path,
    symbols: Symbols | None = None,
    window_ns: tuple[int, int] | None = None,
    pids: Collection[int] | None = None,
) -> OffCpu:
    """Fold one perf.data written by `offcpu_record_argv`.

    `window_ns` is the measured window on CLOCK_MONOTONIC (enable, disable); without it the window is what
    lies between the first and the last record. `pids` are the target's processes: recorded by CPU, perf also names
    everybody else in the namespace. Raises ProfileError for a missing, cut or empty file.
    """
    symbols = symbols or Symbols()
    ledger, lost = _Ledger(window_ns[0] if window_ns else None), 0
    for header, stack in script.read_script(script.offcpu_script_argv(perf_program, data), data, symbols):
        counts = header.tid >= 0 and (window_ns is None or header.time_ns <= window_ns[1])
        if header.is_sample:
            if counts:
                ledger.sample(header, stack)
        elif match := _SWITCH.match(header.rest):
            if counts:
                ledger.switch(header, match[1])
        elif match := _COMM.search(header.rest):
            if pids is None or int(match[1]) in pids or int(match[2]) in ledger.threads:
                ledger.threads[int(match[2])].comm = header.comm
        elif header.time_ns and (match := _BORN.search(header.rest)):
            # At time 0 perf lists those that are there.
            ledger.born(int(match[1]), header.time_ns)
        elif match := _ENDED.search(header.rest):
            ledger.ended(int(match[1]), header.time_ns)
        else:
            lost += header.lost()
    if not ledger.outs:
        raise ProfileError(
            "perf recorded 0 scheduler switches: no thread of the target left the CPU in the measured window, or perf "
            "was never enabled.",
            f"{LONGER} perf's log beside the capture says what it made of it.",
        )
    ledger.finish(window_ns[1] if window_ns else ledger.last_ns)
    return _fold(ledger, lost, symbols)


def _fold(ledger: _Ledger, lost: int, symbols: Symbols) -> OffCpu:
    waits = [*ledger.blocked.items(), *ledger.preempted.items()]
    named = name_stacks({raw for (_, raw), _ in waits}, symbols)
    named[_NO_STACK] = NamedStack(("[no stack]",), 0, 1)

    idle = {key: ns for key, ns in ledger.blocked.items() if is_idle(named[key[1]].functions)}
    blocked = {key: ns for key, ns in ledger.blocked.items() if key not in idle}
    # What idle threads look like says nothing of the pictures that count, unless there is nothing else.
    shown = [*blocked.items(), *ledger.preempted.items()] or waits
    return OffCpu(
        blocked=fold(blocked, named),
        idle=fold(idle, named),
        preempted=fold(ledger.preempted, named),
        switches=ledger.outs,
        lost=lost,
        blocked_ns=sum(blocked.values()),
        idle_ns=sum(idle.values()),
        preempted_ns=ledger.preempted.total(),
        without_stack_ns=sum(time_ns for (_, raw), time_ns in waits if raw == _NO_STACK),
        before_window_ns=ledger.before_window_ns,
        open_ns=ledger.open_ns,
        threads=len(ledger.threads),
        silent_threads=sum(not thread.seen for thread in ledger.threads.values()),
        quality=grade([(named[raw], time_ns) for (_, raw), time_ns in shown], symbols.problems),
        waits=_each(ledger.log, named),
    )


def _each(log: Log, named: Mapping[RawStack, NamedStack]) -> Waits:
    tid, start_ns, end_ns, why, stack = log.columns(4)
    stacks = log.functions(named)
    idle = np.array([is_idle(functions) for functions in stacks], np.bool_)
    why[(why == Off.BLOCKED) & idle[stack]] = Off.IDLE
    return Waits(tid, start_ns, end_ns, why, stack, stacks)
