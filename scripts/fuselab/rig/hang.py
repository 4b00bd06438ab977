"""What can be seen of a run that stands still, before it is ended: `hang.json`, and the words of its reason."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from fuselab.foreign import name as plain_name
from fuselab.rig.mount import MountedTarget
from fuselab.system import kernel, procfs
from fuselab.system.procfs import text

FILE = "hang.json"
_SYSTEM_CALL = re.compile(r"(?:__(?:x64|arm64|riscv|s390x|do|se)_sys|ksys)_(\w+)")
_PLUMBING = re.compile(r"fuse_(?:simple|request|send|get_req|dev)|_fuse_simple")
_MOST_PLACES = 4


@dataclass(frozen=True)
class Waiting:
    """A thread, as /proc/PID/task/TID shows it; what this user may not see is empty."""

    process: str
    pid: int
    tid: int
    name: str
    state: str
    """One letter of proc_pid_stat(5): S sleeps, D waits for a device, T is stopped, R runs."""
    call: str
    """The system call it is in: its name, or its number."""
    wchan: str
    """The function of the kernel that it waits in."""
    fuse: str
    """The innermost function of the kernel's FUSE client in its stack: what kind of request it waits for."""
    stack: tuple[str, ...]
    """Of the kernel, innermost first."""


@dataclass(frozen=True)
class Hang:
    """hang.json."""

    still_s: float
    """For how long nothing has happened; so old are the requests, at least."""
    in_flight: Mapping[str, int | None]
    """Mount -> requests that it has not answered; None where the kernel does not say."""
    load: tuple[Waiting, ...]
    target: tuple[Waiting, ...]
    service: tuple[Waiting, ...]

    @property
    def words(self) -> str:
        """In one line."""
        counts = [count for count in self.in_flight.values() if count is not None]
        requests = "request" if sum(counts) == 1 else "requests"
        requests = f"{sum(counts)} {requests}" if counts else requests
        waits = [thread for thread in self.load if thread.fuse]
        stopped = sorted({thread.process for thread in self.target if thread.state == "T"})
        return "".join(
            [
                f"hung: no progress for {self.still_s:.0f} s with {requests} in flight, and nobody at work",
                f"; {' and '.join(stopped)} is stopped (SIGSTOP)" if stopped else "",
                f"; the load waits in {_places(waits or self.load, _call)}",
                f"; the target's {len(self.target)} threads wait in {_places(self.target, _wchan)}",
                f" ({FILE} has their stacks)",
            ]
        )


def see(
    targets: Sequence[MountedTarget], still_s: float, load: set[int], target: set[int], service: set[int]
) -> Hang:
    """Look at every thread of the run."""
    return Hang(
        still_s=still_s,
        in_flight={mount.process.name: kernel.waiting(mount.mount.device) for mount in targets},
        load=tuple(_threads(load)),
        target=tuple(_threads(target)),
        service=tuple(_threads(service)),
    )


def _threads(pids: Iterable[int]) -> Iterable[Waiting]:
    for pid in sorted(pids):
        process = text(f"/proc/{pid}/comm")
        yield from (_thread(process, pid, tid) for tid in procfs.threads(pid))


def _thread(process: str, pid: int, tid: int) -> Waiting:
    at = f"/proc/{pid}/task/{tid}"
    stack = tuple(line.partition("] ")[2].partition("+")[0] for line in text(f"{at}/stack").splitlines())
    call = next((match[1] for frame in stack if (match := _SYSTEM_CALL.match(frame))), "")
    return Waiting(
        process=plain_name(process),
        pid=pid,
        tid=tid,
        name=plain_name(text(f"{at}/comm")),
        state=procfs.thread_state(tid),
        call=call or text(f"{at}/syscall").split(" ")[0],
        wchan=procfs.waits_in(tid),
        fuse=next((f for f in stack if f.startswith("fuse_") and not _PLUMBING.match(f)), ""),
        stack=stack,
    )


def _call(thread: Waiting) -> str:
    return f"{thread.call} ({thread.fuse})" if thread.fuse else thread.call


def _wchan(thread: Waiting) -> str:
    return thread.wchan or thread.call


def _places(threads: Sequence[Waiting], place: Callable[[Waiting], str]) -> str:
    """`futex_do_wait (3), fuse_dev_do_read (2)`: where most of them wait."""
    counted = Counter(place(thread) or "an unknown place" for thread in threads).most_common()
    named = [f"{where} ({count})" if count > 1 else where for where, count in counted[:_MOST_PLACES]]
    left = sum(count for _, count in counted[_MOST_PLACES:])
    return ", ".join([*named, *([f"{left} elsewhere"] if left else [])]) or "an unknown place"
