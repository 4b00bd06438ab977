"""Whose processes are there: what was started below a folder, found again by what names it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Process:
    pid: int
    command: str
    """Its argument list, joined by spaces."""

    def __str__(self) -> str:
        return f"{self.pid} {self.command[:100]}"


def naming(folder: Path) -> list[Process]:
    """Processes whose command line, working folder, program or environment names `folder`, this one left out."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        if int(entry.name) == os.getpid():
            continue
        try:
            words = (entry / "cmdline").read_bytes().replace(b"\0", b" ")
            signs = [words, (entry / "environ").read_bytes()]
            signs += [os.readlink(entry / name).encode() for name in ("cwd", "exe")]
        except OSError:
            continue
        if any(str(folder).encode() in sign for sign in signs):
            found.append(Process(int(entry.name), words.decode(errors="replace")))
    return found


def pid_of(
    folder: Path, *words: str, within_s: float = 20.0, while_true: Callable[[], bool] = lambda: True
) -> int:
    """The process below `folder` whose command line has all `words`, as soon as it is there."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline and while_true():
        for process in naming(folder):
            if all(word in process.command for word in words):
                return process.pid
        time.sleep(0.02)
    raise AssertionError(f"no process {words} among {list(map(str, naming(folder)))}")


def eventually(is_so: Callable[[], bool], otherwise: str, within_s: float = 60.0) -> None:
    """Wait until something is so, which nobody tells of."""
    deadline = time.monotonic() + within_s
    while not is_so():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.05)
