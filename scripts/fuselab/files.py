"""Small things about files that must be done the same way everywhere."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec

from fuselab.errors import UnreadableError

T = TypeVar("T")


_SMALL_BYTES, _LARGE_BYTES = 64 << 10, 1 << 20


def sha256(path: str | Path) -> str:
    digest, size = hashlib.sha256(), _SMALL_BYTES
    # Thousands of files are small: without a file object, and a buffer for large ones, they cost half.
    with closing(os.open(path, os.O_RDONLY | os.O_CLOEXEC)) as descriptor:
        while part := os.read(descriptor, size):
            digest.update(part)
            size = _LARGE_BYTES
    return digest.hexdigest()


def flush(path: Path) -> None:
    """Wait until the file `path`, or the entries of the folder, are on the disk."""
    with closing(os.open(path, os.O_RDONLY | os.O_CLOEXEC)) as descriptor:
        os.fsync(descriptor)


def rename(old: Path, new: Path) -> None:
    """Move within a filesystem; on the disk when it returns."""
    old.rename(new)
    flush(new.parent)
    if old.parent != new.parent:
        flush(old.parent)


@contextmanager
def atomically(path: Path) -> Iterator[Path]:
    """A name beside `path` to write to; flushed to disk and renamed when the block ends well: `path` is never there
    half, also after a loss of power.
    """
    half = path.with_name(f".{path.name}.{os.getpid()}.half")
    try:
        yield half
        flush(half)
        rename(half, path)
    except BaseException:
        half.unlink(missing_ok=True)
        raise


def write_atomically(path: Path, content: bytes | str) -> None:
    with atomically(path) as half:
        half.write_bytes(content.encode() if isinstance(content, str) else content)


@contextmanager
def closing(descriptor: int) -> Iterator[int]:
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def open_folder(path: str | Path, folder_fd: int | None = None) -> AbstractContextManager[int]:
    """A descriptor of a folder, which is no symbolic link, until the block ends. Raises OSError at once."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    return closing(os.open(path, flags, dir_fd=folder_fd))


def next_numbered(base: Path) -> Path:
    """The first free one of the folders 1, 2, ... in `base`, which is made; it is not there yet."""
    base.mkdir(parents=True, exist_ok=True)
    taken = [int(path.name) for path in base.iterdir() if path.name.isdigit()]
    return base / str(max(taken, default=0) + 1)


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


def read_json(path: Path, kind: type[T]) -> T:
    """What `write_json` wrote. Raises UnreadableError for a file that is cut or edited."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind, strict=False)
    except msgspec.MsgspecError as error:
        mend = "delete it, and it is made again"
        raise UnreadableError(f"{path} is not what fuselab left there ({error}): {mend}") from None


def write_json(path: Path, value: object) -> None:
    """`value` as indented JSON, atomically; dataclasses and Paths are fine."""
    write_atomically(path, as_json(value))


def as_json(value: object) -> bytes:
    """What `write_json` writes."""
    return msgspec.json.format(msgspec.json.encode(value, enc_hook=str), indent=2) + b"\n"
