"""The state folder of a run: fresh on disk, held by a lock while the run lives, gone afterwards.

A lock is what tells a folder in use from one that a killed run left: the kernel drops it with its process.
"""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from fuselab.files import locked
from fuselab.rig import kernel, mountinfo
from fuselab.rig.errors import RigError

MIN_FREE_BYTES = 256 << 20
"""Less free space than this and a run does not start: its figures would be those of a full disk."""
_LOCK = "lock"


@dataclass(frozen=True)
class State:
    """Folders of one run, all below one that is removed when the run ends."""

    path: Path

    @property
    def data(self) -> Path:
        """`{state}` of the target."""
        return self.path / "data"

    @property
    def service(self) -> Path:
        """`{state}` of the service."""
        return self.path / "service"

    @property
    def scratch(self) -> Path:
        """Temporary files of programs."""
        return self.path / "scratch"

    @property
    def plain(self) -> Path:
        """Where the load runs if nothing is mounted."""
        return self.path / "plain"

    def mountpoint(self, number: int) -> Path:
        return self.path / ("mount" if number == 1 else f"mount-{number}")


@contextmanager
def state_folder(root: Path) -> Iterator[State]:
    """Make a fresh state folder below `root`, and first remove those that killed runs left there.

    Raises RigError if `root` cannot be written or its disk is nearly full.
    """
    try:
        root.mkdir(parents=True, exist_ok=True)
        # Under one lock, so that nobody's sweep meets a folder that is made but not yet held.
        with locked(root / ".lock"):
            sweep(root)
            require_space(root)
            state = State(root.resolve() / secrets.token_hex(4))
            state.path.mkdir()
            lock = os.open(state.path / _LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
            fcntl.flock(lock, fcntl.LOCK_EX)
    except OSError as error:
        raise RigError(_cannot(root, error)) from error
    try:
        for folder in (state.data, state.service, state.scratch, state.plain):
            folder.mkdir()
        yield state
    finally:
        for mountpoint in reversed(mountinfo.below(state.path)):
            kernel.detach(mountpoint)
        _remove(state.path)
        os.close(lock)


def sweep(root: Path) -> list[str]:
    """Remove the state folders below `root` that no living run holds; return their names."""
    removed = []
    for lock in root.glob(f"*/{_LOCK}"):
        with suppress(OSError):
            descriptor = os.open(lock, os.O_RDWR | os.O_CLOEXEC)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _remove(lock.parent)
                removed.append(lock.parent.name)
            finally:
                os.close(descriptor)
    return removed


def require_space(folder: Path, needed_bytes: int = MIN_FREE_BYTES) -> None:
    """Raise RigError if the disk of `folder` has less than `needed_bytes` free."""
    free = free_bytes(folder)
    if free < needed_bytes:
        raise RigError(
            f"the disk below {folder} is full: {free >> 20} MiB free, and a run needs {needed_bytes >> 20}. "
            "Free some space, or name another disk with `state:` in the experiment"
        )


def free_bytes(folder: Path) -> int:
    status = os.statvfs(folder)
    return status.f_bavail * status.f_frsize


def _remove(folder: Path) -> None:
    # A mount still there would be emptied along with the folder.
    if not mountinfo.below(folder):
        shutil.rmtree(folder, ignore_errors=True)


def _cannot(root: Path, error: OSError) -> str:
    if error.errno == errno.ENOSPC:
        return f"the disk below {root} is full: free some space, or name another disk with `state:` in the experiment"
    return f"the state folder {root} cannot be used: {error.strerror}: name another with `state:` in the experiment"
