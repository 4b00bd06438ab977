"""Figures that the kernel offers in /proc and /sys; None where it does not.

`proc` parameters are descriptors of a /proc: the rig holds one of the machine's, because its own pid namespace
hides every process outside.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from fuselab.files import closing

_KERNEL_THREAD = 0x00200000
TICK_S = 1 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class CpuTimes:
    """Of the whole machine, in ticks."""

    total: int
    steal: int
    idle: int = 0
    """Waiting for a disk included."""


@dataclass(frozen=True)
class ProcessTimes:
    """CPU time of one process, in seconds: its own, and that of its ended children it has waited for."""

    name: str
    parent: int
    own_s: float
    children_s: float
    kernel_thread: bool
    state: str = "S"
    """One letter, as proc_pid_stat(5) has it: T is stopped."""
    session: int = 0
    """0 where the first process of its session is outside the pid namespace."""


def open_proc() -> int:
    return os.open("/proc", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


def processes(proc: int) -> dict[int, ProcessTimes]:
    """Every process that `proc` shows, by its pid there."""
    found = {}
    for entry in os.listdir(proc):
        if entry.isdigit():
            with suppress(OSError):  # ended in the meantime
                found[int(entry)] = _process(_read(f"{entry}/stat", proc))
    return found


def _process(stat: str) -> ProcessTimes:
    """Fields of proc_pid_stat(5); the name may hold spaces and parentheses."""
    name = stat[stat.index("(") + 1 : stat.rindex(")")]
    fields = stat[stat.rindex(")") + 2 :].split()
    user, system, children_user, children_system = (int(text) for text in fields[11:15])
    return ProcessTimes(
        name=name,
        parent=int(fields[1]),
        session=int(fields[3]),
        own_s=(user + system) * TICK_S,
        children_s=(children_user + children_system) * TICK_S,
        kernel_thread=bool(int(fields[6]) & _KERNEL_THREAD),
        state=fields[0],
    )


def descendants(table: Mapping[int, ProcessTimes], root: int) -> set[int]:
    """`root` and all that descend from it."""
    children: dict[int, list[int]] = {}
    for pid, process in table.items():
        children.setdefault(process.parent, []).append(pid)
    found, open_ends = set(), [root]
    while open_ends:
        pid = open_ends.pop()
        found.add(pid)
        open_ends += children.get(pid, [])
    return found


def own_processes() -> dict[int, ProcessTimes]:
    """Every process of this pid namespace."""
    with closing(open_proc()) as proc:
        return processes(proc)


def family(root: int) -> set[int]:
    """`root` and its descendants, as this pid namespace sees them; empty if it is gone."""
    table = own_processes()
    return descendants(table, root) & table.keys()


def inner_pid(pid: int) -> int | None:
    """The number that a process has for itself, in the innermost of its pid namespaces; None if it is gone."""
    with suppress(OSError):
        return int(field(pid, "NSpid")[-1])
    return None


def threads(pid: int) -> list[int]:
    """Of a process, by number; none if it is gone."""
    with suppress(OSError):
        return sorted(map(int, os.listdir(f"/proc/{pid}/task")))
    return []


def waits_in(tid: int) -> str:
    """The function of the kernel that a thread waits in; "" if it is gone, or that is not for us to know."""
    return text(f"/proc/{tid}/wchan").strip("0")


def text(path: str) -> str:
    """What a file of the kernel says now; "" if there is none, or it is not for us to know."""
    with suppress(OSError):
        return Path(path).read_text(errors="replace").strip()
    return ""


def field(pid: int, name: str) -> list[str]:
    """Words of a line of proc_pid_status(5), of a thread too. Raises OSError if it is gone, or has no such line."""
    for line in Path(f"/proc/{pid}/status").read_text(errors="replace").splitlines():
        if line.startswith(f"{name}:"):
            return line.split()[1:]
    raise ProcessLookupError(name)


def thread_state(tid: int) -> str:
    """One letter of proc_pid_stat(5); "" if it is gone."""
    return text(f"/proc/{tid}/stat").rpartition(")")[2][1:2]


def cpu_clock_s(pid: int) -> float:
    """User and system time of a process, ended threads included, to the nanosecond. Raises OSError if it is gone.

    The clock of a process is numbered ~pid << 3 | 2 (clock_getcpuclockid(3) of the C library does the same).
    """
    return time.clock_gettime(~pid << 3 | 2)


def cpu_times(proc: int) -> CpuTimes:
    fields = [int(text) for text in _read("stat", proc).split("\n", 1)[0].split()[1:]]
    return CpuTimes(total=sum(fields[:8]), steal=fields[7], idle=fields[3] + fields[4])


def pressure_us(kind: str) -> int | None:
    """Microseconds since boot in which some task waited for `cpu`, `io` or `memory`."""
    with suppress(OSError, ValueError):
        line = Path("/proc/pressure", kind).read_text().split("\n", 1)[0]
        return int(line.rpartition("total=")[2])
    return None


def memory_bytes() -> dict[str, int]:
    """/proc/meminfo."""
    found = {}
    for line in Path("/proc/meminfo").read_text().splitlines():
        name, _, rest = line.partition(":")
        words = rest.split()
        found[name] = int(words[0]) * (1024 if len(words) > 1 else 1)
    return found


def rss_peak_bytes(pid: int) -> int | None:
    with suppress(OSError, ValueError):
        return int(field(pid, "VmHWM")[0]) * 1024
    return None


@dataclass(frozen=True)
class Doings:
    """What a process has done since its start, ended threads and children that it has waited for included."""

    page_faults: int
    disk_read_bytes: int
    disk_write_bytes: int
    """Of what it has made dirty, whenever that reaches the disk."""


def doings(pid: int) -> Doings:
    """Raises OSError if the process is gone, or is not ours to look at."""
    fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    moved = io(pid)
    written = moved["write_bytes"] - moved["cancelled_write_bytes"]
    return Doings(sum(map(int, fields[7:11])), moved["read_bytes"], written)


def io(pid: int) -> dict[str, int]:
    """proc_pid_io(5): `rchar` and `wchar` are what it has read and written by system calls, to whatever. Raises OSError
    if the process is gone, or is not ours to look at."""
    lines = Path(f"/proc/{pid}/io").read_text().splitlines()
    return {name: int(number) for name, number in (line.split(": ") for line in lines)}


def cpu_model() -> str | None:
    """As the first CPU calls itself; not every architecture has a name for it."""
    for line in text("/proc/cpuinfo").splitlines():
        name, _, value = line.partition(":")
        if name.strip() in ("model name", "cpu model", "uarch"):
            return value.strip() or None
    return None


def frequency_hz() -> float | None:
    """Mean over the CPUs."""
    found = _numbers("/sys/devices/system/cpu", "cpu[0-9]*/cpufreq/scaling_cur_freq")
    return sum(found) / len(found) * 1000 if found else None


def governor() -> str | None:
    return text("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor") or None


def temperature_c() -> float | None:
    """Of the hottest zone."""
    found = _numbers("/sys/class/thermal", "thermal_zone*/temp")
    return max(found) / 1000 if found else None


def _numbers(folder: str, pattern: str) -> list[int]:
    found = []
    for path in Path(folder).glob(pattern):
        with suppress(OSError, ValueError):
            found.append(int(path.read_text()))
    return found


def _read(path: str, proc: int) -> str:
    with closing(os.open(path, os.O_RDONLY | os.O_CLOEXEC, dir_fd=proc)) as descriptor:
        return os.read(descriptor, 1 << 16).decode(errors="replace")


class OwnTasks:
    """The threads of our own pid namespace by the numbers that another /proc has for them."""

    def __init__(self, proc: int) -> None:
        self._proc = proc
        self._ours = os.readlink("/proc/self/ns/pid")
        self.known: dict[int, tuple[int, int]] = {}
        """Number there -> (process, thread) as we number them; of all that any look has found."""
        self._processes: set[int] = set()
        self.others: set[int] = set()
        """Processes there that the last look found, and that are not of ours: threads of the kernel too."""

    def own(self) -> int:
        """The number there of the thread that asks."""
        return int(os.readlink("thread-self", dir_fd=self._proc).rpartition("/")[2])

    def look(self) -> None:
        """Note who lives. A process that the last look found is taken for the same one."""
        there = {int(entry) for entry in os.listdir(self._proc) if entry.isdigit()}
        self.others &= there
        self._processes &= there
        for pid in there - self.others - self._processes:
            with suppress(OSError):  # ended in the meantime
                ours = os.readlink(f"{pid}/ns/pid", dir_fd=self._proc) == self._ours
                (self._processes if ours else self.others).add(pid)
        for pid in self._processes:
            with suppress(OSError):
                self._look_at(pid)

    def _look_at(self, pid: int) -> None:
        with closing(os.open(f"{pid}/task", os.O_RDONLY | os.O_CLOEXEC, dir_fd=self._proc)) as folder:
            tids = set(map(int, os.listdir(folder))) - self.known.keys()
        for tid in tids:
            with suppress(OSError):
                lines = _read(f"{pid}/task/{tid}/status", self._proc).splitlines()
                said = {
                    name: words.split()[-1:] for name, _, words in (line.partition(":") for line in lines)
                }
                self.known[tid] = (int(said["NStgid"][0]), int(said["NSpid"][0]))
