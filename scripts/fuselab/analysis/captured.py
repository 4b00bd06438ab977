"""What one capture left in several files: of several processes, or of a program that began its file anew."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from fuselab.errors import ProfileError

T = TypeVar("T")


def each_readable(files: Sequence[Path], read: Callable[[Path], T]) -> tuple[list[T], tuple[str, ...]]:
    """What `read` makes of the files, and why some say nothing. Raises ProfileError where none says anything."""
    done: list[T] = []
    errors: list[ProfileError] = []
    for file in files:
        try:
            done.append(read(file))
        except ProfileError as error:
            errors.append(error)
    if not done:
        raise errors[0]
    return done, tuple(error.reason for error in errors)
