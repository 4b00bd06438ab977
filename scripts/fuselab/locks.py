"""Locks between processes (flock(2)): the kernel drops one with its process, however that ended."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from fuselab.files import closing


def open_lock(path: str | Path, folder_fd: int | None = None) -> int:
    """A descriptor of the lock file `path`, made if need be. What is there is neither followed nor changed.

    Raises OSError: a symbolic link, or nothing that may be written.
    """
    return os.open(
        path, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600, dir_fd=folder_fd
    )


def try_lock(descriptor: int) -> bool:
    """Take the lock on an open file or folder, if nobody holds it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def lock(descriptor: int, waiting: Callable[[], None] | None = None) -> None:
    """Take the lock on an open file or folder; calls `waiting` before it waits for a holder."""
    if waiting is not None:
        if try_lock(descriptor):
            return
        waiting()
    fcntl.flock(descriptor, fcntl.LOCK_EX)


def share_lock(descriptor: int) -> None:
    """Hold the lock beside others who share it; nobody can take it alone then."""
    fcntl.flock(descriptor, fcntl.LOCK_SH)


@contextmanager
def locked(
    path: Path, folder_fd: int | None = None, waiting: Callable[[], None] | None = None
) -> Iterator[None]:
    """Hold an exclusive lock on the file `path`, made if need be; calls `waiting` before it waits for a holder."""
    if folder_fd is None:
        path.parent.mkdir(parents=True, exist_ok=True)
    with closing(open_lock(path, folder_fd)) as descriptor:
        lock(descriptor, waiting)
        yield


def holders(descriptor: int) -> list[int]:
    """Pids of those who hold a lock on the open file, as /proc/locks has them: none from outside our pid namespace."""
    inode = f":{os.fstat(descriptor).st_ino}"
    lines = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
    held = {int(words[4]) for words in lines if words[1] == "FLOCK" and words[5].endswith(inode)}
    return sorted(pid for pid in held if pid > 0)
