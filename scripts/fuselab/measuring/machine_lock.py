"""One measurement at a time on a machine, whichever checkout it belongs to.

A job holds the lock for all that it measures: the runs of a block are compared with each other and stay together, and
another checkout's go before or after them. The lock is on a folder that only its user can open, so that nobody else can
take it, and the kernel drops it with its process. Root behind sudo takes the lock of whoever typed sudo, too.
"""

from __future__ import annotations

import os
import pwd
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from fuselab.locks import lock
from fuselab.measuring.attempts import NO_PATIENCE
from fuselab.ownership import behind_sudo


@contextmanager
def measuring() -> Iterator[None]:
    """Have the machine for a measurement, after those of other checkouts. Who waits says so, on the screen too.

    Whoever has no patience for noise waits for nobody either, and nobody for him.
    """
    with ExitStack() as stack:
        if NO_PATIENCE not in os.environ:
            for user in _users():
                if (folder := _open_folder(user)) is not None:
                    stack.callback(os.close, folder)
                    lock(folder, "waiting for another measurement on this machine", "measuring")
        yield


def _users() -> list[int]:
    """Whose locks to take: always in this order, or two could wait for each other."""
    return [*filter(None, [behind_sudo()]), os.geteuid()]


def _folders(user: int) -> list[Path]:
    """Where the folder may be, the best first: /tmp may be private to some of a user's programs."""
    if user == 0:
        return [Path("/run/fuselab"), Path("/tmp/fuselab-0")]
    homes = []
    with suppress(KeyError):
        homes = [Path(pwd.getpwuid(user).pw_dir, ".cache", "fuselab-lock")]
    return [Path(f"/run/user/{user}/fuselab"), *homes, Path(f"/tmp/fuselab-{user}")]


def _open_folder(user: int) -> int | None:
    """A descriptor of the first of the folders that is, or can be made, the user's alone; None if none can."""
    for folder in _folders(user):
        with suppress(OSError):
            if user == os.geteuid():  # not in a place that somebody else rules
                folder.mkdir(mode=0o700, exist_ok=True)
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            status = os.fstat(descriptor)
            if status.st_uid == user and not stat.S_IMODE(status.st_mode) & 0o077:
                return descriptor
            os.close(descriptor)
    return None
