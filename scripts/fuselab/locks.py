"""Locks between processes (flock(2)): the kernel drops one with its process, however that ended."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from fuselab import foreign
from fuselab.files import closing
from fuselab.screen import on_screen


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


def lock(descriptor: int, waiting: str = "", goes_on: str = "") -> None:
    """Take the lock on an open file or folder. Who has to wait says `waiting` and for whom, and `goes_on` and after
    how long; on the screen too.
    """
    if not waiting:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    elif not try_lock(descriptor):
        on_screen(f"{waiting}{_holder(descriptor)}")
        started = time.monotonic()
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        on_screen(f"{goes_on}, after having waited for {time.monotonic() - started:.0f} s")


def share_lock(descriptor: int) -> None:
    """Hold the lock beside others who share it; nobody can take it alone then."""
    fcntl.flock(descriptor, fcntl.LOCK_SH)


@contextmanager
def locked(path: Path, folder_fd: int | None = None, waiting: str = "", goes_on: str = "") -> Iterator[None]:
    """Hold an exclusive lock on the file `path`, made if need be; who has to wait says so as in `lock`."""
    if folder_fd is None:
        path.parent.mkdir(parents=True, exist_ok=True)
    with closing(open_lock(path, folder_fd)) as descriptor:
        lock(descriptor, waiting, goes_on)
        yield


def holders(descriptor: int) -> list[int]:
    """Pids of those who hold a lock on the open file, as /proc/locks has them: none from outside our pid namespace."""
    inode = f":{os.fstat(descriptor).st_ino}"
    lines = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
    held = {int(words[4]) for words in lines if words[1] == "FLOCK" and words[5].endswith(inode)}
    return sorted(pid for pid in held if pid > 0)


def _holder(descriptor: int) -> str:
    """Who holds the lock, as far as /proc says: it names no process outside our pid namespace."""
    with suppress(OSError):
        for pid in holders(descriptor):
            return f": process {pid}, in {foreign.name(os.readlink(f'/proc/{pid}/cwd'))}"
    return ""
