"""The machine around a run: a gate before it, figures over it, and whether it was quiet enough afterwards.

Nothing here knows the variant or what it measured, so neither waiting nor voiding can favour one.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from fuselab.records.run import Environment
from fuselab.rig.state import free_bytes
from fuselab.system import kernel, mountinfo, procfs

GATE_WINDOW_S = 0.5
GATE_CPU_SHARE = 0.10
"""Of the window in which some task waited for a CPU."""
GATE_IO_SHARE = 0.10
GATE_DIRTY_BYTES = 64 << 20
VOID_STEAL_SHARE = 0.01
VOID_OTHER_CPU_SHARE = 0.05
"""Of one core, by user processes outside the rig."""
VOID_TICKS = 3
"""Fewer ticks of CPU time (10 ms each) void nothing: over a short load one of them is more than any share above."""
_NAMED = 3


@dataclass(frozen=True)
class Sample:
    """The machine at one moment."""

    at_s: float
    psi_us: Mapping[str, int | None]
    cpu: procfs.CpuTimes
    others: Mapping[int, procfs.ProcessTimes]
    """User processes outside the rig."""
    dirty_bytes: int | None
    writeback_bytes: int | None


@dataclass(frozen=True)
class Gate:
    """What the gate saw last, and whether it was passed or given up."""

    passed: bool
    waited_s: float
    cpu_share: float | None
    io_share: float | None
    dirty_bytes: int | None


def sample(proc: int, first: int | None = None) -> Sample:
    """`proc`: descriptor of the machine's /proc. `first`: whose family is the rig; by default our own namespace."""
    memory = procfs.memory_bytes()
    return Sample(
        at_s=time.monotonic(),
        psi_us={kind: procfs.pressure_us(kind) for kind in ("cpu", "io", "memory")},
        cpu=procfs.cpu_times(proc),
        others=_others(proc, first),
        dirty_bytes=memory.get("Dirty"),
        writeback_bytes=memory.get("Writeback"),
    )


def _others(proc: int, first: int | None = None) -> dict[int, procfs.ProcessTimes]:
    """User processes outside the rig: all but the kernel's threads, and the family of `first`, or of our namespace's
    first process."""
    table = procfs.processes(proc)
    if first is None:
        ourselves = int(os.readlink("self", dir_fd=proc))
        first = table[ourselves].parent if os.getpid() != 1 else ourselves
    ours = procfs.descendants(table, first)
    return {pid: process for pid, process in table.items() if pid not in ours and not process.kernel_thread}


def gate(folder: Path, started_s: float, psi_us: Mapping[str, int | None], limit_s: float) -> Gate:
    """Write back what is dirty, then wait until the machine is quiet, `limit_s` at most but one window at least.

    The first window begins at `started_s` with the pressure `psi_us`: what was done since then counts into it.
    """
    begun = time.monotonic()
    kernel.sync_filesystem(folder, kernel.SYNC_LIMIT_S)
    since_s, since_us = started_s, psi_us
    while True:
        time.sleep(max(0.0, since_s + GATE_WINDOW_S - time.monotonic()))
        now_s = time.monotonic()
        now_us = {kind: procfs.pressure_us(kind) for kind in since_us}
        cpu, io = (_share(since_us[kind], now_us[kind], now_s - since_s) for kind in ("cpu", "io"))
        dirty = procfs.memory_bytes().get("Dirty")
        quiet = (
            (cpu or 0) <= GATE_CPU_SHARE and (io or 0) <= GATE_IO_SHARE and (dirty or 0) <= GATE_DIRTY_BYTES
        )
        if quiet or now_s - begun > limit_s:
            return Gate(quiet, now_s - begun, cpu, io, dirty)
        since_s, since_us = now_s, now_us


def pressure() -> dict[str, int | None]:
    return {kind: procfs.pressure_us(kind) for kind in ("cpu", "io")}


def environment(before: Sample, after: Sample, folder: Path, passed: Gate | None) -> Environment:
    """What changed between two samples, and what else is worth knowing of the machine; `folder` is the state."""
    disk = mountinfo.mount_of(folder).record
    psi = {kind: _delta(before.psi_us[kind], after.psi_us[kind]) for kind in before.psi_us}
    ticks = after.cpu.total - before.cpu.total
    return Environment(
        psi_cpu_us=psi["cpu"],
        psi_io_us=psi["io"],
        psi_memory_us=psi["memory"],
        steal_share=(after.cpu.steal - before.cpu.steal) / ticks if ticks else None,
        other_user_cpu_share=other_cpu_s(before.others, after.others) / max(after.at_s - before.at_s, 1e-9),
        loadavg_1m=os.getloadavg()[0],
        dirty_before_bytes=before.dirty_bytes,
        dirty_after_bytes=after.dirty_bytes,
        writeback_before_bytes=before.writeback_bytes,
        writeback_after_bytes=after.writeback_bytes,
        disk_free_bytes=free_bytes(folder),
        state_device=disk.source,
        state_fstype=disk.fstype,
        frequency_hz=procfs.frequency_hz(),
        governor=procfs.governor(),
        temperature_c=procfs.temperature_c(),
        kernel=f"{platform.system()} {platform.release()} {platform.machine()}",
        gate={} if passed is None else vars(passed),
        cpu_model=procfs.cpu_model(),
        cpus=os.cpu_count(),
        memory_bytes=procfs.memory_bytes().get("MemTotal"),
    )


def noise(before: Sample, after: Sample) -> str | None:
    """Why a run between these samples does not count, in words; None if the machine was quiet."""
    return "; ".join(_noises(before, after)) or None


def _noises(before: Sample, after: Sample) -> Iterator[str]:
    ticks = after.cpu.total - before.cpu.total
    stolen = after.cpu.steal - before.cpu.steal
    if stolen > max(VOID_TICKS, VOID_STEAL_SHARE * ticks):
        steal = stolen / ticks
        yield f"the hypervisor took {steal:.1%} of the CPU time away during the load (limit {VOID_STEAL_SHARE:.0%})"
    seconds = max(after.at_s - before.at_s, 1e-9)
    used_s = other_cpu_s(before.others, after.others)
    share = used_s / seconds
    if used_s > max(VOID_TICKS * procfs.TICK_S, VOID_OTHER_CPU_SHARE * seconds):
        yield (
            f"other processes used {share:.0%} of a core during the load (limit {VOID_OTHER_CPU_SHARE:.0%})"
            f"{_busiest(before.others, after.others, seconds)}"
        )


def other_cpu_s(before: Mapping[int, procfs.ProcessTimes], after: Mapping[int, procfs.ProcessTimes]) -> float:
    """CPU seconds between two tables of processes, those that began or ended in between included.

    The time of an ended process moves to the parent that waits for it, all of it; what it had used before the
    first table is taken off again.
    """
    own = sum(_used(pid, before, after) for pid in after)
    inherited = sum(
        p.children_s - (before[pid].children_s if pid in before else 0.0) for pid, p in after.items()
    )
    ended_before = sum(p.own_s + p.children_s for pid, p in before.items() if pid not in after)
    return own + max(0.0, inherited - ended_before)


def _used(
    pid: int, before: Mapping[int, procfs.ProcessTimes], after: Mapping[int, procfs.ProcessTimes]
) -> float:
    return after[pid].own_s - (before[pid].own_s if pid in before else 0.0)


def _busiest(
    before: Mapping[int, procfs.ProcessTimes], after: Mapping[int, procfs.ProcessTimes], seconds: float
) -> str:
    used = sorted(((_used(pid, before, after) / seconds, pid) for pid in after), reverse=True)[:_NAMED]
    named = [
        f"{after[pid].name} (pid {pid}) {share:.0%}"
        for share, pid in used
        if share >= VOID_OTHER_CPU_SHARE / 2
    ]
    return f": {', '.join(named)}" if named else ", most of it by short-lived ones"


def _delta(before: int | None, after: int | None) -> int | None:
    return None if before is None or after is None else after - before


def _share(before: int | None, after: int | None, seconds: float) -> float | None:
    delta = _delta(before, after)
    return None if delta is None else delta / 1e6 / seconds
