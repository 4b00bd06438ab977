"""The state folder of a run: fresh on disk, held by a lock while the run lives, gone afterwards.

What may be removed carries a mark that we made ourselves: a file that says the name of its folder and the number of
that folder on its disk, so that a copy of it elsewhere, or a file of the same name, marks nothing. The mark is the
lock, too: the kernel drops that with its process, which tells a folder in use from one that a killed run left.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from fuselab.errors import RigError
from fuselab.files import closing, open_folder
from fuselab.locks import lock, locked, try_lock
from fuselab.system import kernel, mountinfo, state_root
from fuselab.targets.model import ONLY, service_name

MIN_FREE_BYTES = 256 << 20
"""Less free space than this and a run does not start: its figures would be those of a full disk."""
MARK = "fuselab.mark"
_NAME = re.compile(r"fuselab-[0-9a-f]{8}")
_LOCK = ".lock"


@dataclass(frozen=True)
class State:
    """Folders of one run, all below one that is removed when the run ends."""

    path: Path

    @property
    def data(self) -> Path:
        """`{state}` of the target."""
        return self.path / "data"

    def service(self, role: str = ONLY) -> Path:
        """`{state}` of a service, by what it is to its backend."""
        return self.path / service_name(role)

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
def state_folder(root: Path, checkout: Path) -> Iterator[State]:
    """Make a fresh state folder below `root`, and first remove those that killed runs left there.

    Raises RigError if `root` is no place for it (state_root), cannot be written, or its disk is nearly full.
    """
    with ExitStack() as stack:
        try:
            folder = stack.enter_context(state_root.opened(root, checkout))
            # Under one lock, so that nobody's sweep meets a folder that is made but not yet held.
            with locked(Path(_LOCK), folder):
                _sweep(folder, root)
                require_space(root)
                name = f"fuselab-{secrets.token_hex(4)}"
                stack.callback(os.close, _make(name, folder))
        except OSError as error:
            raise RigError(_cannot(root, error)) from error
        state = State(root / name)
        try:
            for made in (state.data, state.scratch, state.plain):
                made.mkdir()
            yield state
        finally:
            for mountpoint in reversed(mountinfo.below(state.path)):
                kernel.detach(mountpoint)
            _remove(name, folder, root)


def sweep(root: Path) -> list[str]:
    """Remove the state folders below `root` that no living run holds; return their names. Raises OSError."""
    with open_folder(root) as folder:
        return _sweep(folder, root)


def _sweep(folder: int, root: Path) -> list[str]:
    removed = []
    for name in _named(folder):
        with _dead(name, folder) as dead:
            if dead:
                _remove(name, folder, root)
                removed.append(name)
    return removed


def dead(root: Path) -> list[str]:
    """Names of the state folders below `root` that killed runs left; none if it cannot be read."""
    found = []
    with suppress(OSError), open_folder(root) as folder:
        for name in _named(folder):
            with _dead(name, folder) as left:
                found += [name] if left else []
    return found


def _named(folder: int) -> list[str]:
    return sorted(name for name in os.listdir(folder) if _NAME.fullmatch(name))


def _content(name: str, folder: int) -> bytes:
    """What the mark of `name` says: neither a copy of the folder nor another folder of that name has this."""
    number = os.stat(name, dir_fd=folder, follow_symlinks=False).st_ino
    return f"made by fuselab for one run, which removes it: {name}, inode {number}\n".encode()


def _make(name: str, folder: int) -> int:
    """Make the folder `name`, and its mark; that, held as a lock."""
    flags = os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_RDWR | os.O_CLOEXEC
    os.mkdir(name, 0o755, dir_fd=folder)
    try:
        mark = os.open(f"{name}/{MARK}", flags, 0o600, dir_fd=folder)
        lock(mark)
        os.write(mark, _content(name, folder))
    except OSError:  # without its mark nobody would ever remove it
        with suppress(OSError):
            os.unlink(f"{name}/{MARK}", dir_fd=folder)
        os.rmdir(name, dir_fd=folder)
        raise
    return mark


@contextmanager
def _dead(name: str, folder: int) -> Iterator[bool]:
    """Whether the folder `name` is marked as ours and no living run holds it; nobody else can hold it inside."""
    try:
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if not stat.S_ISDIR(status.st_mode):
            raise NotADirectoryError(name)
        mark = os.open(
            f"{name}/{MARK}", os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder
        )
    except OSError:
        yield False
        return
    with closing(mark):
        yield _is_ours(mark, name, folder) and try_lock(mark)


def _is_ours(mark: int, name: str, folder: int) -> bool:
    status = os.fstat(mark)
    owned = status.st_uid in state_root.trusted()
    return stat.S_ISREG(status.st_mode) and owned and os.pread(mark, 4096, 0) == _content(name, folder)


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


def _remove(name: str, folder: int, root: Path) -> None:
    """Remove a folder of ours, its mark last: what cannot be removed today is known as ours tomorrow."""
    # A mount still there would be emptied along with the folder.
    if mountinfo.below(root / name):
        return
    with suppress(OSError):
        with open_folder(name, folder) as inside:
            for entry in os.listdir(inside):
                if entry != MARK:
                    _remove_entry(entry, inside)
            if os.listdir(inside) != [MARK]:
                return
            os.unlink(MARK, dir_fd=inside)
        os.rmdir(name, dir_fd=folder)


def _remove_entry(name: str, folder: int) -> None:
    try:
        os.unlink(name, dir_fd=folder)
    except (IsADirectoryError, PermissionError):
        shutil.rmtree(name, ignore_errors=True, dir_fd=folder)
    except OSError:
        return


def _cannot(root: Path, error: OSError) -> str:
    if error.errno == errno.ENOSPC:
        return f"the disk below {root} is full: free some space, or name another disk with `state:` in the experiment"
    return f"the state folder {root} cannot be used: {error.strerror}: name another with `state:` in the experiment"
