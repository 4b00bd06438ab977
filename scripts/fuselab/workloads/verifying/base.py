"""The contract between fuselab and one way to verify a variant."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import ClassVar

from fuselab.programs import Program
from fuselab.workloads.base import LoadContext, LoadResult

DATA = "data"
"""The way that every experiment takes, unless it says otherwise."""
SETUP = "make setup-verify"
"""What installs the programs that no experiment needs unless it asks for them."""
_NAMED = 5


class Verifier(ABC):
    """One way. Its runs are not timed; nothing that they leave becomes a figure."""

    name: ClassVar[str]
    session: ClassVar[str]
    """What the logs of its mount are called by."""
    seconds: ClassVar[float]
    """How long a run takes, where none has been made here."""
    program: ClassVar[Program | None] = None
    """What it calls, where `make setup` does not install that."""

    @abstractmethod
    def run(self, context: LoadContext, known: Sequence[str]) -> LoadResult:
        """Do it in a fresh mount; `known`: patterns of what the target is known to fail."""

    def read_back(self, context: LoadContext) -> LoadResult | None:
        """What is done after a remount, for data that survives it; None: nothing."""
        return None

    @property
    def reads_back(self) -> bool:
        return type(self).read_back is not Verifier.read_back

    def found(self, run: Path) -> str:
        """In words, what it found in the folder `run`; empty: nothing to say."""
        return ""


def is_known(name: str, known: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in known)


def some(names: Sequence[str]) -> str:
    """`a`, `b` and 3 more."""
    shown = ", ".join(f"`{name}`" for name in names[:_NAMED])
    return shown + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")
