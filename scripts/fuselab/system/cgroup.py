"""A control group for the target of one run: whoever descends from it is a member, whatever its parent is by now.

Version 2 of cgroups(7): membership is inherited by fork and never lost, the kernel adds up the CPU time of all members
that ever were, and perf can be told to look at the members alone. Only root may make one; others do without.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from fuselab.files import open_folder
from fuselab.locks import lock, try_lock
from fuselab.system import mountinfo
from fuselab.system.process import pause_s

PREFIX = "fuselab-run-"
"""Groups are called so, and a random number."""
_MARK = "trusted.fuselab"
"""The extended attribute that a group of ours carries once it is locked: what has it and no lock is of a killed run."""
_OWN = Path("/proc/self/cgroup")
_EMPTY_WAIT_S = 2.0
_FREEZE = "cgroup.freeze"


@dataclass(frozen=True)
class Group:
    """The group `name` (from the root of its hierarchy) at `path`."""

    path: Path
    name: str

    @contextmanager
    def joined(self) -> Iterator[None]:
        """What is started in this block is a member from its first instruction: so are we, until the block ends.

        Raises OSError where processes may not be moved.
        """
        _move_to(self.path)
        try:
            yield
        finally:
            _move_to(self.path.parent)

    @property
    def can_freeze(self) -> bool:
        """Whether its members can be stopped and continued together (since Linux 5.2)."""
        return (self.path / _FREEZE).is_file()

    @property
    def frozen(self) -> bool:
        """Whether all members have stopped: it takes each until it is back from the system call that it is in."""
        return "frozen 1" in (self.path / "cgroup.events").read_text().splitlines()

    def freeze(self, on: bool) -> None:
        """Stop all members, and whoever joins, or continue them. It is no signal: nobody sees it in their state."""
        (self.path / _FREEZE).write_text(str(int(on)))

    def pids(self) -> set[int]:
        """Of the members that live, as this pid namespace numbers them."""
        return {int(word) for word in (self.path / "cgroup.procs").read_text().split()} - {0}

    def cpu_s(self) -> float:
        """User and system time of all that are or were members."""
        lines = (self.path / "cpu.stat").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("usage_usec ")) / 1e6


@contextmanager
def new_group() -> Iterator[Group | None]:
    """A group below our own, removed at the end; None where none can be made. Those of killed runs go first."""
    found = _hierarchy()
    made = _make(*found) if found is not None else None
    if made is None:
        yield None
        return
    group, folder = made
    try:
        yield group
    finally:
        _remove(group.path)
        os.close(folder)


def sweep(below: Path) -> None:
    """Remove the groups of killed runs: they carry our mark, nobody holds them, and they are empty."""
    for path in below.glob(f"{PREFIX}*"):
        with suppress(OSError), open_folder(path) as folder:
            if try_lock(folder):
                os.getxattr(folder, _MARK)
                path.rmdir()


def _hierarchy() -> tuple[Path, str] | None:
    """(where the hierarchy is mounted, our own group in it); None without one that perf would use."""
    lines = [line.split(":", 2) for line in _OWN.read_text().splitlines()] if _OWN.exists() else []
    own = next((path for number, _, path in lines if number == "0"), None)
    if (
        own is None
        or ".." in own
        or any("perf_event" in controllers.split(",") for _, controllers, _ in lines)
    ):
        return None
    mounts = [m for m in mountinfo.parse(mountinfo.MOUNTINFO.read_text()) if m.record.fstype == "cgroup2"]
    return (Path(mounts[-1].mountpoint), own.strip("/")) if mounts else None


def _make(mountpoint: Path, own: str) -> tuple[Group, int] | None:
    """A group, and the descriptor whose lock says that it is in use."""
    home = mountpoint / own
    sweep(home)
    name = f"{PREFIX}{secrets.token_hex(8)}"
    group = Group(home / name, f"{own}/{name}".lstrip("/"))
    try:
        group.path.mkdir()
    except OSError:
        return None
    folder = os.open(group.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    lock(folder)
    try:
        os.setxattr(folder, _MARK, b"")
    except OSError:
        os.close(folder)
        group.path.rmdir()
        return None
    return group, folder


def _remove(path: Path) -> None:
    """As soon as its last member is gone: killed ones take a moment. What stays, a later run sweeps."""
    started = time.monotonic()
    deadline = started + _EMPTY_WAIT_S
    while True:
        try:
            path.rmdir()
            return
        except FileNotFoundError:
            return
        except OSError:
            if time.monotonic() >= deadline:
                return
        time.sleep(pause_s(started, deadline))


def _move_to(group: Path) -> None:
    (group / "cgroup.procs").write_text("0")
