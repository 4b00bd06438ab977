"""Events of the kernel into a file, without perf: an instance of its tracing that is emptied while the load runs.

perf writes each event with a header of its own, on the processor of whoever is looked at. The kernel's own buffers take
half of that, and what is in them is moved by the page.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from fuselab.errors import CannotLookError, ProfileError
from fuselab.files import closing, read_json, write_json
from fuselab.profilers.base import CaptureContext, Window
from fuselab.system import tracefs
from fuselab.system.procfs import OwnTasks
from fuselab.system.tracing import FILLED, PAGE_HEADER, Instance, new_instance

if TYPE_CHECKING:
    from fuselab.profilers.capture import CaptureFolder

ROOT = "run as root"
"""What lets somebody use tracing of his own."""
_NUMBERS = "start the container with --pid=host"
_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
_EVERY_S = 0.1
"""So often the kernel's buffers are emptied, and every so many times it is looked who lives."""
_LOOK_EVERY = 5
_LARGEST_BYTES = 1 << 16
"""Of a page of the kernel's buffers."""
_NEARLY_FULL = 0.9
"""Of a page, from which on another one may be behind it: the kernel gives what there is of the page it fills."""


@dataclass(frozen=True)
class TraceRecord:
    """What is known of a file of pages."""

    formats: tuple[str, ...]
    """Of its events, as the kernel describes them."""
    lost: int
    """Events that found no room in the kernel's buffers."""
    tasks: Mapping[int, tuple[int, int]]
    """Number of a thread of the run, as the kernel has it -> (process, thread) as the run numbers them."""
    others: tuple[int, ...]
    """Processes outside of the run that lived at the end, by the kernel's number; threads of the kernel too."""

    def strangers(self, family: Collection[int]) -> list[int]:
        """Threads known to be of no process of `family`, by the kernel's number."""
        known = (number for number, (pid, _) in self.tasks.items() if pid not in family)
        return [*known, *(number for number in self.others if number not in self.tasks)]


class TraceWindow(Window):
    """Tracing is on from `open` to `close`; a thread moves what is told to a file meanwhile."""

    def __init__(self, instance: Instance, tasks: OwnTasks, pages: Path) -> None:
        self._instance, self._tasks = instance, tasks
        self._stop = threading.Event()
        self._failed: OSError | None = None
        self._thread = threading.Thread(target=self._follow, name="tracing", daemon=True)
        self._files = ExitStack()
        self._out = self._files.enter_context(pages.open("wb", buffering=1 << 20))
        self._buffers = [
            self._files.enter_context(closing(os.open(each / "trace_pipe_raw", _READ)))
            for each in instance.processors()
        ]

    def open(self) -> None:
        self._tasks.look()
        self._thread.start()
        self._instance.on()

    def close(self) -> None:
        self._instance.off()
        self.end()
        if self._failed is not None:
            raise self._failed

    def end(self) -> None:
        """Whether it was opened or not."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()
        self._files.close()

    def cpu_s(self) -> float | None:
        with suppress(OSError):  # `close` tells why it has ended
            return time.clock_gettime(time.pthread_getcpuclockid(self._thread.ident or 0))
        return None

    def _follow(self) -> None:
        try:
            for turn in count(1):
                if self._stop.wait(_EVERY_S):
                    break
                self._empty()
                if turn % _LOOK_EVERY == 0:
                    self._tasks.look()
            self._tasks.look()
            self._empty(whole=True)
        except OSError as error:
            self._failed = error

    def _empty(self, whole: bool = False) -> None:
        """Move what there is; unless `whole`, no further than where the kernel fills a page at this moment."""
        for buffer in self._buffers:
            before = 1.0
            while page := _page(buffer):
                filled = PAGE_HEADER.unpack_from(page)[1] & FILLED
                self._out.write(page[: PAGE_HEADER.size + filled])
                # One of which a part was taken before may have others behind it.
                if not whole and max(before, filled / len(page)) < _NEARLY_FULL:
                    break
                before = filled / len(page)


def _page(buffer: int) -> bytes:
    """What is filled of the next page, at its full length; nothing where there is none."""
    try:
        return os.read(buffer, _LARGEST_BYTES)
    except BlockingIOError:
        return b""


@contextmanager
def tracing(context: CaptureContext, profiler: str, events: Mapping[str, str]) -> Iterator[TraceWindow]:
    """Record `events` (`group:name` -> a condition of the kernel, or "") while the window is open.

    Raises CannotLookError where the machine does not permit it, or numbers threads in a way that nobody here knows.
    """
    pages, tasks = _files(context.folder, profiler)[0], OwnTasks(context.proc)
    with ExitStack() as stack:
        try:
            instance = stack.enter_context(new_instance())
            number = instance.own_task()
            for event, condition in events.items():
                instance.enable(event, condition)
            formats = tuple(instance.described(event) for event in events)
        except OSError as error:
            raise CannotLookError(f"{tracefs.FOLDER} may not be used: {error.strerror}", ROOT) from None
        if number != tasks.own():
            raise CannotLookError(
                f"the kernel numbers threads otherwise than this container: {number} is {tasks.own()} here",
                _NUMBERS,
            )
        window = TraceWindow(instance, tasks, pages)
        try:
            yield window
        finally:
            window.end()
        record = TraceRecord(formats, instance.lost(), tasks.known, tuple(sorted(tasks.others)))
    write_json(_files(context.folder, profiler)[1], record)


def traced(capture: CaptureFolder, profiler: str) -> tuple[Path, TraceRecord]:
    """What was recorded for a profiler. Raises ProfileError where it is not there."""
    pages, record = (capture.raw(path.name) for path in _files(capture.folder, profiler))
    if not pages.is_file() or not record.is_file():
        raise ProfileError(
            f"There is no {pages.name} with {record.name}: the run broke off before its end.",
            "Look at how the run ended.",
        )
    return pages, read_json(record, TraceRecord)


def _files(folder: Path, profiler: str) -> tuple[Path, Path]:
    return folder / f"{profiler}.trace", folder / f"{profiler}.trace.json"
