"""perf record on a running target, told by its control FIFO which part of the run to sample."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from fuselab.errors import CannotLookError, RigError
from fuselab.profilers.base import CaptureContext, Window
from fuselab.profilers.perf_record import Watched
from fuselab.programs import Program, apt_install, tool_path
from fuselab.system import procfs
from fuselab.system.process import exit_words

if TYPE_CHECKING:
    from fuselab.profilers.capture import CaptureFolder

_DATA = "perf.data"
"""Of captures that were made before several recordings could share one."""
PERF = Program("perf", ("--version",), "records where threads run and block", needed=False)
RecordArgv = Callable[[str, Watched, Path], list[str]]
"""(perf, whom, output) -> the argument list of one of the recordings in `perf_record`."""
PERMIT_ALL = (
    "run as root, or: sudo sysctl kernel.perf_event_paranoid=-1; sudo chmod -R a+rX /sys/kernel/tracing"
)
"""What lets a user without root see the scheduler."""
_FORBIDDEN = re.compile(r"permission|not permitted|can't access|paranoid|unknown tracepoint", re.IGNORECASE)
_LIMITED = re.compile(r"^Access to performance monitoring.* is limited\.$", re.MULTILINE)
"""The first of many lines, the others of which explain settings."""
_ACK_TIMEOUT_S = 20.0
_STOP_TIMEOUT_S = 120.0
_LAST_WORDS_S = 5.0


class PerfWindow(Window):
    """perf's control FIFO: `open` and `close` return when perf has acknowledged."""

    def __init__(self, control: int, acknowledge: int, log: Path, child: subprocess.Popen[bytes]) -> None:
        self._control = control
        self._acknowledge = acknowledge
        self._log = log
        self._child = child

    def open(self) -> None:
        self.command("enable")

    def close(self) -> None:
        self.command("disable")

    def cpu_s(self) -> float | None:
        with suppress(OSError):  # `close` tells of a perf that has ended
            return procfs.cpu_clock_s(self._child.pid)
        return None

    def command(self, word: str) -> None:
        """Send one command and wait for perf's `ack`.

        If none comes, raises CannotLookError where perf says that it may not look, else RigError with how it ended
        and its words.
        """
        os.write(self._control, f"{word}\n".encode())
        deadline = time.monotonic() + _ACK_TIMEOUT_S
        answer = b""
        while b"ack" not in answer:
            if self._child.poll() is not None or time.monotonic() > deadline:
                self.require_alive()
                said = self._log.read_text(errors="replace").strip()
                if _FORBIDDEN.search(said):
                    raise CannotLookError(f"perf may not look: {_telling(said)}", PERMIT_ALL)
                code = self._child.returncode
                how = "did not answer" if code is None else f"ended ({exit_words(code)}) instead of answering"
                raise RigError(f"perf {how} `{word}`. It said:\n{said}")
            if select.select([self._acknowledge], [], [], 0.05)[0]:
                answer += os.read(self._acknowledge, 64)

    def require_alive(self) -> None:
        """Raise RigError if perf was killed: its warnings say nothing about that, and its file is cut short."""
        code = self._child.poll()
        if code is not None and code < 0 and code != -signal.SIGINT:
            said = self._log.read_text(errors="replace").strip()
            raise RigError(f"perf was {exit_words(code)}" + (f". It said:\n{said}" if said else ""))


def _telling(said: str) -> str:
    """The line of perf's words that says most of what it may not."""
    if limited := _LIMITED.search(said):
        return limited[0]
    longest = max((line for line in said.splitlines() if _FORBIDDEN.search(line)), key=len)
    return longest.removeprefix("Error:").strip()


def _end(child: subprocess.Popen[bytes], timeout_s: float) -> None:
    """Let perf complete its file. Raises TimeoutExpired if it takes too long."""
    child.send_signal(signal.SIGINT)  # `stop` by the FIFO takes perf a second longer
    child.wait(timeout_s)


def recorded(capture: CaptureFolder, profiler: str) -> Path:
    """What perf has recorded for a profiler; the path where it should be if it is not there."""
    old = capture.raw(_DATA)
    return old if old.is_file() else capture.raw(f"{profiler}.data")


def recorded_beside(capture: CaptureFolder, profiler: str) -> Path | None:
    """What perf has recorded for another profiler in the same run; None if it did not or could not look."""
    data = capture.raw(f"{profiler}.data")
    return data if data.is_file() and not capture.cannot_look(profiler) else None


@contextmanager
def recording(context: CaptureContext, profiler: str, record_argv: RecordArgv) -> Iterator[PerfWindow]:
    """Run the `perf record` that `record_argv` spells until the block ends, as `controlled` does.

    Its files bear the profiler's name, so that several may look at one run.
    """
    whom = Watched(context.pids, context.group)
    with controlled(lambda perf, data: record_argv(perf, whom, data), context.folder, profiler) as window:
        yield window


@contextmanager
def controlled(argv_of: Callable[[str, Path], list[str]], folder: Path, name: str) -> Iterator[PerfWindow]:
    """Run the perf that `argv_of` (perf, what it writes) spells until the block ends; it sees nothing outside `open`
    and `close`.

    It writes `<name>.data` in `folder`, and its log beside that. Raises CannotLookError if the kernel forbids it or
    there is no perf, RigError if perf cannot attach for another reason.
    """
    perf = tool_path(PERF.name)
    if perf is None:
        raise CannotLookError("perf is not installed", apt_install(PERF.name))
    fifos = (folder / f"{name}.control", folder / f"{name}.acknowledge")
    for fifo in fifos:
        os.mkfifo(fifo)
    # Both ends in one descriptor: neither perf nor we ever block on opening.
    control, acknowledge = (os.open(fifo, os.O_RDWR | os.O_NONBLOCK) for fifo in fifos)
    log = folder / f"{name}.log"
    argv = argv_of(perf, folder / f"{name}.data")
    argv += ["--delay", "-1", "--control", f"fifo:{fifos[0]},{fifos[1]}"]
    try:
        with log.open("wb") as output:
            child = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
            )
        try:
            window = PerfWindow(control, acknowledge, log, child)
            window.command("ping")
            yield window
            _end(child, _STOP_TIMEOUT_S)
            window.require_alive()
        except subprocess.TimeoutExpired:
            raise RigError(f"perf did not stop within {_STOP_TIMEOUT_S:.0f} s after the load") from None
        finally:
            if child.poll() is None:
                # The run has failed, but what perf saw until then may say why.
                with suppress(subprocess.TimeoutExpired):
                    _end(child, _LAST_WORDS_S)
            if child.poll() is None:
                child.kill()
                child.wait()
    finally:
        os.close(control)
        os.close(acknowledge)
        for fifo in fifos:
            fifo.unlink()
