"""Small things about files that must be done the same way everywhere."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_atomically(path: Path, content: bytes | str) -> None:
    """Write beside `path`, flush to disk, rename: `path` is never there half."""
    half = path.with_name(f".{path.name}.{os.getpid()}.half")
    data = content.encode() if isinstance(content, str) else content
    with half.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    half.rename(path)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on the file `path`, made if need be; waits for whoever holds it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def write_json(path: Path, value: object) -> None:
    """`value` as indented JSON, atomically; dataclasses and Paths are fine."""
    encoded = msgspec.json.encode(value, enc_hook=str)
    write_atomically(path, msgspec.json.format(encoded, indent=2) + b"\n")
