"""Command lines of `perf record`: what is recorded, and of whom.

They are part of what a capture is made by, so they lie beside the profilers and not beside what reads their files.

perf runs without a hardware PMU too: on-CPU samples ask for the software clock by name, because `cycles` silently
becomes `cpu-clock` on such machines and two variants must not be sampled by different clocks. Its period is in ns.

Tracepoints are asked for in the kernel (`k`). Without it perf asks for them in the program where this user may not look
into the kernel, is permitted that, and records none: they happen in the kernel alone.
"""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fuselab.system.tracefs import ENTER, EXIT, SEND

_TIMER_TRACEPOINT = Path("/sys/kernel/tracing/events/timer/hrtimer_expire_entry/id")
_CLOCK_HANDLER = re.compile(r"^([0-9a-f]+) \S perf_swevent_hrtimer$", re.M)
_COPY = "call-graph=dwarf,stack-size"


@dataclass(frozen=True)
class CountedEvent:
    """What the kernel or the processor counts by itself."""

    name: str
    event: str
    filter: str = ""
    """Of a tracepoint: which of its events count."""


@dataclass(frozen=True)
class Watched:
    """Whom perf looks at."""

    pids: tuple[int, ...]
    """Processes that live, with all their threads and whoever they start."""
    group: str | None = None
    """A control group that all of them belong to, if there is one: perf then looks at its members on every CPU.

    Preferred: perf 6.1 spins on two cores once a single thread that it has attached to has ended (poll(2) tells of its
    hung-up descriptor for ever), and it misses processes that somebody else starts.
    """


def oncpu_record_argv(perf: str, whom: Watched, output: Path, frequency_hz: int = 999) -> list[str]:
    """`perf record` of the CPU time of some processes and all their threads.

    Without `--control` and `--delay`: whoever runs it decides what part of the run is sampled. 999 Hz rather
    than 1000, so that sampling does not run in step with timers of whole milliseconds.
    """
    clock = ["-e", f"cpu-clock/freq={frequency_hz},call-graph=fp,name=cpu-clock/"]
    return _record(perf, whom, output, [*clock, *_stack_top_at_clock()])


def offcpu_record_argv(perf: str, whom: Watched, output: Path) -> list[str]:
    """`perf record` of every time a thread of some processes leaves the CPU, with its stack, and when it returns.

    The stack comes from the scheduler's tracepoint, the durations from context switch records: nothing is
    sampled. Without `--control` and `--delay`, as above.
    """
    events = ["-e", "sched:sched_switch/call-graph=fp/k"]
    if _copies_stacks():
        # The same switch once more, as a software event: this one copies the top of the stack.
        events += ["-e", f"context-switches/{_COPY}=1024/", *_REGISTERS]
    # Every switch is written: the ring must hold bursts until perf drains it.
    return [*_record(perf, whom, output, events), "-c", "1", "--switch-events", "-m", "2M"]


def syscalls_record_argv(perf: str, whom: Watched, output: Path) -> list[str]:
    """`perf record` of every system call of some processes: its beginning with the stack, and its end."""
    events = ["-e", f"raw_syscalls:{ENTER}/call-graph=fp/k", "-e", f"raw_syscalls:{EXIT}:k"]
    if _copies_stacks():
        events += ["-e", f"raw_syscalls:{ENTER}/{_COPY}=1024/k", *_REGISTERS]
    return [*_record(perf, whom, output, events), "-c", "1", "-m", "2M"]


_MANY_CPUS = 16
_ROOM = ("-m", "8M" if (os.cpu_count() or 1) <= _MANY_CPUS else "2M")
"""Of each CPU, until perf has its turn: where twenty others want one, 2 MB were full once in sixteen runs."""
_BARE = ("-c", "1", *_ROOM, "--no-buildid", "--no-buildid-cache", "--no-bpf-event", "--synth=no")
"""Every event, and nothing of who is on the machine and what is mapped: without names that takes perf half a second."""


def syscalls_count_argv(perf: str, whom: Watched, output: Path) -> list[str]:
    """`perf record` of the beginning of every system call of some processes, without stacks: to be counted by name."""
    return [*_record(perf, whom, output, ["-e", f"raw_syscalls:{ENTER}:k"]), *_BARE]


def requests_count_argv(perf: str, output: Path, connections: Sequence[int]) -> list[str]:
    """`perf record` of every request of some FUSE connections, whoever sends it: to be counted by opcode."""
    mine = " || ".join(f"connection == {number}" for number in connections)
    return [perf, "record", "-a", "-o", str(output), *_BARE, "-e", f"fuse:{SEND}:k", "--filter", mine]


def totals_count_argv(perf: str, whom: Watched, output: Path, events: Sequence[CountedEvent]) -> list[str]:
    """`perf stat` of what some processes do, as lines of comma-separated values in `output`: nothing is lost."""
    asked = [
        word
        for event in events
        for word in ("-e", in_kernel(event.event), *(("--filter", event.filter) if event.filter else ()))
    ]
    who = ["-p", ",".join(map(str, whom.pids))] if whom.group is None else ["-a"]
    groups = [] if whom.group is None else ["-G", ",".join([whom.group] * len(events))]
    return [perf, "stat", *who, "-x", ",", "-o", str(output), *asked, *groups]


def in_kernel(event: str) -> str:
    """A tracepoint as perf is asked for it where only one in the kernel counts; any other event as it is."""
    return f"{event}:k" if ":" in event else event


def _record(perf: str, whom: Watched, output: Path, events: Sequence[str]) -> list[str]:
    # CLOCK_MONOTONIC is the clock that the rig and the load use too. With build ids in the mapping records
    # perf neither reads all samples again at exit nor copies binaries.
    options = ["-o", str(output), "-k", "CLOCK_MONOTONIC", "--buildid-mmap"]
    if whom.group is None:
        return [perf, "record", "-p", ",".join(map(str, whom.pids)), *options, *events]
    # The first event is the one that mappings, names and switches are recorded with. perf adds one by itself, but that
    # one would see the whole machine: `-G` limits those that are named before it.
    return [perf, "record", "-a", *options, "-e", "dummy", *events, "-G", whom.group]


_REGISTERS = ("--user-regs=ip,sp,bp",)


def _copies_stacks() -> bool:
    """Whether `leaf_callers` understands copied stacks of this machine."""
    return platform.machine() == "x86_64"


def _stack_top_at_clock() -> list[str]:
    """A second event at the moment of each clock sample, which copies the top of the stack (`leaf_callers`).

    The clock is a timer, and a tracepoint fires as it expires, in the same interrupt and thread. The filter keeps
    other timers out. Nothing where tracepoints or the kernel's symbols may not be read: stacks then lack the
    callers of functions without frame pointers.
    """
    if not _copies_stacks() or not os.access(_TIMER_TRACEPOINT, os.R_OK):
        return []
    handler = _CLOCK_HANDLER.search(Path("/proc/kallsyms").read_text())
    if handler is None or int(handler[1], 16) == 0:
        return []
    event = f"timer:hrtimer_expire_entry/{_COPY}=2048/k"
    return ["-e", event, "--filter", f"function==0x{handler[1]}", *_REGISTERS]
