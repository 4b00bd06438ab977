"""Small things about files that must be done the same way everywhere."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec

from fuselab.errors import UnreadableError

T = TypeVar("T")


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def flush(path: Path) -> None:
    """Wait until the file `path`, or the entries of the folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def rename(old: Path, new: Path) -> None:
    """Move within a filesystem; on the disk when it returns."""
    old.rename(new)
    flush(new.parent)
    if old.parent != new.parent:
        flush(old.parent)


def write_atomically(path: Path, content: bytes | str) -> None:
    """Write beside `path`, flush to disk, rename: `path` is never there half, also after a loss of power."""
    half = path.with_name(f".{path.name}.{os.getpid()}.half")
    data = content.encode() if isinstance(content, str) else content
    with half.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    rename(half, path)


def open_lock(path: str | Path, folder_fd: int | None = None) -> int:
    """A descriptor of the lock file `path`, made if need be. What is there is neither followed nor changed.

    Raises OSError: a symbolic link, or nothing that may be written.
    """
    return os.open(
        path, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600, dir_fd=folder_fd
    )


@contextmanager
def locked(
    path: Path, folder_fd: int | None = None, waiting: Callable[[], None] | None = None
) -> Iterator[None]:
    """Hold an exclusive lock on the file `path`, made if need be; calls `waiting` before it waits for a holder."""
    if folder_fd is None:
        path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = open_lock(path, folder_fd)
    try:
        _lock(descriptor, waiting)
        yield
    finally:
        os.close(descriptor)


_UNWRITABLE = {
    errno.ENOSPC: "the disk of {} is full: free some space",
    errno.EDQUOT: "the quota of the disk of {} is used up: free some space",
    errno.EROFS: "{} is on a disk that is mounted read-only: mount it writable, or work in another checkout",
    errno.EXDEV: "{} is on another disk than the rest: only `results` as a whole may be a link to one",
    errno.EACCES: "{} may not be used by you: chown or chmod it (what root has made without sudo is root's)",
}


def unusable(error: OSError) -> str | None:
    """What is wrong with the disk or the folder, and the mend; None for an error that is no fault of theirs."""
    words = _UNWRITABLE.get(error.errno or 0)
    return words.format(error.filename or os.getcwd()) if words else None


def _lock(descriptor: int, waiting: Callable[[], None] | None) -> None:
    if waiting is not None:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
    fcntl.flock(descriptor, fcntl.LOCK_EX)


def read_json(path: Path, kind: type[T]) -> T:
    """What `write_json` wrote. Raises UnreadableError for a file that is cut or edited."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind, strict=False)
    except msgspec.MsgspecError as error:
        mend = "delete it, and it is made again"
        raise UnreadableError(f"{path} is not what fuselab left there ({error}): {mend}") from None


def write_json(path: Path, value: object) -> None:
    """`value` as indented JSON, atomically; dataclasses and Paths are fine."""
    encoded = msgspec.json.encode(value, enc_hook=str)
    write_atomically(path, msgspec.json.format(encoded, indent=2) + b"\n")
