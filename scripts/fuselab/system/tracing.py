"""An instance of the kernel's tracing for one run: buffers that nobody else fills or reads, gone with the run.

Documentation/trace/ftrace.rst of the kernel. Only root may make one. An instance outlives whoever made it: the lock
on its folder (flock(2)) says that the owner lives, and what has our name and no lock is of a killed run.
"""

from __future__ import annotations

import os
import re
import secrets
import struct
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from fuselab.files import open_folder
from fuselab.locks import lock, try_lock
from fuselab.system import tracefs

PREFIX = "fuselab-run-"
"""Instances are called so, and a random number."""
INSTANCES = tracefs.FOLDER / "instances"
PAGE_HEADER = struct.Struct("<QQ")
"""Of a page of the buffers: time of the first event in ns, and the number of bytes behind this header, with flags above
its lowest 20 bits (`header_page` in tracefs's `events`)."""
FILLED = (1 << 20) - 1
_NAME = re.compile(re.escape(PREFIX) + r"[0-9a-f]{16}")
_ALL_KIB, _MOST_KIB, _LEAST_KIB = 128 << 10, 4 << 10, 512
"""Of the kernel's memory: of all processors together, and of each."""
_LOST = ("overrun", "commit overrun", "dropped events")
_MARK = re.compile(r"-(\d+) +\[\d+\].*: tracing_mark_write:")


@dataclass(frozen=True)
class Instance:
    """Tracing that is off until `on`."""

    path: Path

    def enable(self, event: str, condition: str = "") -> None:
        """Have the kernel tell of `group:name`, of those for which `condition` holds. Raises OSError."""
        folder = self._event(event)
        if condition:
            (folder / "filter").write_text(condition)
        self.switch(event, on=True)

    def switch(self, event: str, on: bool) -> None:
        """Tell of it from now on, or no more. Raises OSError."""
        (self._event(event) / "enable").write_text("1" if on else "0")

    def described(self, event: str) -> str:
        """The `format` of `group:name`: its number and fields. Raises OSError."""
        return (self._event(event) / "format").read_text()

    def on(self) -> None:
        (self.path / "tracing_on").write_text("1")

    def off(self) -> None:
        (self.path / "tracing_on").write_text("0")

    def processors(self) -> list[Path]:
        """A folder for each that has a buffer."""
        return sorted((self.path / "per_cpu").iterdir())

    def lost(self) -> int:
        """Events that found no room until now."""
        lines = [line.split(":") for each in self.processors() for line in _stats(each).splitlines()]
        return sum(int(count) for name, count, *_ in lines if name in _LOST)

    def own_task(self) -> int:
        """The number by which the kernel tells of the thread that asks; empties the buffers.

        Raises ProcessLookupError if it does not tell.
        """
        self.on()
        (self.path / "trace_marker").write_text("fuselab")
        self.off()
        told = _MARK.search((self.path / "trace").read_text(errors="replace"))
        (self.path / "trace").write_text("")
        if told is None:
            raise ProcessLookupError("trace_marker")
        return int(told[1])

    def _event(self, event: str) -> Path:
        return self.path / "events" / event.replace(":", "/")


@contextmanager
def new_instance() -> Iterator[Instance]:
    """An instance, removed at the end; those of killed runs go first. Raises OSError where none can be made."""
    sweep()
    path, folder = _made()
    try:
        _set_up(path)
        yield Instance(path)
    finally:
        with suppress(OSError):  # what stays, a later run sweeps
            path.rmdir()
        os.close(folder)


def _made() -> tuple[Path, int]:
    """An instance, and the descriptor whose lock says that it is in use."""
    while True:
        path = INSTANCES / f"{PREFIX}{secrets.token_hex(8)}"
        path.mkdir()
        with suppress(FileNotFoundError):
            folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            lock(folder)
            if path.exists():
                return path, folder
            os.close(folder)  # swept before it was locked


def sweep() -> None:
    """Remove the instances of killed runs. What cannot be looked at or removed is left."""
    for _ in _dead(remove=True):
        pass


def dead() -> list[Path]:
    """The instances of killed runs, as far as they can be looked at."""
    return list(_dead(remove=False))


def _dead(remove: bool) -> Iterator[Path]:
    names: list[str] = []
    with suppress(OSError):
        names = sorted(filter(_NAME.fullmatch, os.listdir(INSTANCES)))
    for path in (INSTANCES / name for name in names):
        with suppress(OSError), open_folder(path) as folder:
            if try_lock(folder):
                if remove:
                    path.rmdir()
                yield path


def _set_up(path: Path) -> None:
    (path / "tracing_on").write_text("0")
    (path / "trace_clock").write_text("mono")  # the clock of the rig, of loads and of perf
    # What is there is kept, and what finds no room is counted; names of threads would cost a look at every switch.
    (path / "trace_options").write_text("nooverwrite")
    (path / "trace_options").write_text("norecord-cmd")
    each_kib = _ALL_KIB // (os.cpu_count() or 1)
    (path / "buffer_size_kb").write_text(str(max(_LEAST_KIB, min(_MOST_KIB, each_kib))))


def _stats(processor: Path) -> str:
    return (processor / "stats").read_text()


def main(argv: Sequence[str]) -> str:
    """Try it, with the events `argv`; why it does not work, or nothing. For `fuselab doctor`."""
    tracefs.mount()
    try:
        with new_instance() as instance:
            for event in argv:
                instance.enable(event)
    except OSError as error:
        return f"{error.strerror}: {error.filename}"
    return ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]) or None)
