"""Whether a load still gets on: the difference between a slow filesystem and one that will never answer."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from fuselab.rig.mount import MountedTarget
from fuselab.system import kernel, procfs

_FEW_BYTES, _FEW_BYTES_PER_S = 4096, 256
"""What is no progress: fio's own threads talk to each other in some 50 bytes a second while its jobs wait."""
_IDLE_SHARE = 0.05
"""Of a core: timers and heartbeats of a target or a store that has nothing to do."""
_MEMBER_SHARE = 0.02
"""More for each further member of a service, which talk to each other: of three of etcd's an idle one used 1.2 %."""
_IDLE_S = 0.05
_AT_WORK = "D"
_IN_FILESYSTEM = re.compile(
    r"fuse|request_wait|folio|page|aio|read_events|io_cq|io_uring|rwsem|d_alloc|dirty"
)
"""Functions of the kernel in which whoever waits for a filesystem waits, or for another who does."""


@dataclass(frozen=True)
class Figures:
    """What has been done so far."""

    moved_bytes: Mapping[int, int]
    """By process of the load."""
    load_cpu_s: float
    serving_cpu_s: float


class Progress:
    """Looked at every now and then; `still_s` is how long nothing has happened that should have.

    Nothing: requests were on their way at every look, the load moved no bytes and ended no process, neither it nor
    what serves it used a CPU or waited for a disk, and a thread of the load has waited in one and the same call.
    """

    def __init__(self, targets: Sequence[MountedTarget], patience_s: float, further_members: int = 0) -> None:
        self._targets = targets
        self._patience_s = patience_s
        self._idle_share = _IDLE_SHARE + _MEMBER_SHARE * further_members
        self._since_s = 0.0
        self._then: Figures | None = None
        self._waits: dict[int, int] = {}
        self.still_s = 0.0

    def hung(
        self, now_s: float, table: Mapping[int, procfs.ProcessTimes], load: set[int], serving: set[int]
    ) -> bool:
        """Whether the load has stood still for as long as it may. `load`, `serving`: pids in `table`."""
        if not self._targets or in_flight(self._targets) == 0:
            return self._begin(None)
        moved = {pid: _moved_bytes(pid) for pid in load}
        now = Figures(moved, _cpu_s(table, load), _cpu_s(table, serving))
        if self._then is None or not self._still(self._then, now, now_s - self._since_s):
            self._since_s = now_s
            return self._begin(now)
        waits = threads(load)
        self._waits = dict(self._waits.items() & waits.items()) if self._waits else waits
        self.still_s = now_s - self._since_s
        if self.still_s < self._patience_s:
            return False
        stuck = any(_IN_FILESYSTEM.search(procfs.waits_in(tid)) for tid in self._waits)
        return (stuck and not _at_work(serving)) or self._begin(None)

    def _still(self, then: Figures, now: Figures, seconds: float) -> bool:
        if then.moved_bytes.keys() != now.moved_bytes.keys():
            return False
        moved = sum(now.moved_bytes[pid] - before for pid, before in then.moved_bytes.items())
        return (
            moved < max(_FEW_BYTES, _FEW_BYTES_PER_S * seconds)
            and now.load_cpu_s - then.load_cpu_s < _IDLE_S + _IDLE_SHARE * seconds
            and now.serving_cpu_s - then.serving_cpu_s < _IDLE_S + self._idle_share * seconds
        )

    def _begin(self, now: Figures | None) -> bool:
        self._then, self._waits, self.still_s = now, {}, 0.0
        return False


def in_flight(targets: Sequence[MountedTarget]) -> int | None:
    """Requests that no target has answered; None where the kernel does not say."""
    found = [kernel.waiting(target.mount.device) for target in targets]
    known = [count for count in found if count is not None]
    return sum(known) if known else None


def threads(pids: set[int]) -> dict[int, int]:
    """How often each thread of `pids` has begun to wait: as long as that stays the same, it is one wait."""
    found = {}
    for pid in pids:
        for tid in procfs.threads(pid):
            with suppress(OSError):
                found[tid] = int(procfs.field(tid, "voluntary_ctxt_switches")[0])
    return found


def _at_work(pids: set[int]) -> bool:
    """Whether a thread waits for a disk, which is work, and not for a FUSE mount, its own perhaps."""
    return any(
        procfs.thread_state(tid) == _AT_WORK and not re.search("fuse|request_wait", procfs.waits_in(tid))
        for tid in threads(pids)
    )


def _moved_bytes(pid: int) -> int:
    with suppress(OSError, ValueError):
        moved = procfs.io(pid)
        return moved["rchar"] + moved["wchar"]
    return 0


def _cpu_s(table: Mapping[int, procfs.ProcessTimes], pids: set[int]) -> float:
    return sum(table[pid].own_s + table[pid].children_s for pid in pids if pid in table)
