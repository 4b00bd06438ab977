"""Starting and stopping programs: every wait has an end, and nothing started here outlives its context manager."""

from __future__ import annotations

import errno
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from fuselab.errors import ProgramError, RigError, TargetError
from fuselab.programs import program
from fuselab.system import procfs
from fuselab.system.log import Log
from fuselab.words import cpus

STOPPED = "it is stopped, by SIGSTOP or a debugger, and does nothing until it gets SIGCONT"
_FATAL = frozenset({signal.SIGINT, signal.SIGQUIT, signal.SIGILL, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE,
                    signal.SIGKILL, signal.SIGSEGV, signal.SIGPIPE, signal.SIGTERM})  # fmt: skip
"""What a shell's exit code above 128 stands for. Others are numbers that programs use for themselves (perf: 129)."""
KILL_WAIT_S = 5.0
"""How long the kernel may take to end a killed process. One that waits for a dead disk takes longer."""
_INHERITED = frozenset({"PATH", "HOME", "USER", "LOGNAME", "LD_LIBRARY_PATH"})


class Process:
    """One running program: a child of ours, or (adopted by its pid) one that a child left behind."""

    def __init__(self, name: str, pid: int, log: Log, popen: subprocess.Popen[bytes] | None = None) -> None:
        self.name = name
        self.pid = pid
        self.log = log
        self.pidfd = os.pidfd_open(pid)
        """Readable once the process has ended."""
        self._popen = popen

    @property
    def exit_code(self) -> int | None:
        """As `subprocess` counts: negative is a signal. None while it runs, and of an adopted process."""
        return None if self._popen is None else self._popen.poll()

    @property
    def running(self) -> bool:
        return not readable(self.pidfd, 0)

    @property
    def stopped(self) -> bool:
        """Whether somebody has stopped it: it does nothing then, whatever it is asked."""
        return self.running and procfs.thread_state(self.pid) == "T"

    def wait(self, timeout_s: float) -> bool:
        """Whether it has ended within `timeout_s`."""
        ended = readable(self.pidfd, timeout_s)
        if ended and self._popen is not None:
            self._popen.wait()
        return ended

    def signal(self, number: int) -> None:
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.pidfd, number)

    def kill(self) -> bool:
        """SIGKILL to it and to all that descends from it; whether it was gone soon after.

        Not to its process group: fio, for one, gives each of its jobs a session of its own.
        """
        for pid in sorted(procfs.family(self.pid)):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return self.wait(KILL_WAIT_S)

    def stop(self, number: int, timeout_s: float) -> bool:
        """Ask it to end by signal `number`; kill it if it does not. False if it had to be killed."""
        self.signal(number)
        if self.wait(timeout_s):
            return True
        self.kill()
        return False

    def close(self) -> None:
        """End it, and what it left in its session."""
        if self.running:
            self.kill()
        if self._popen is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
        if self.pidfd >= 0:
            os.close(self.pidfd)
            self.pidfd = -1

    def described(self) -> str:
        """`demofs (exit code 1)` and its last log lines, for an error. The first line can stand alone."""
        code = self.exit_code
        how = f" ({STOPPED})" if self.stopped else "" if code is None else f" ({exit_words(code)})"
        return f"{self.name}{how}{self.words()}"

    def words(self) -> str:
        """Its last log lines that say most, to be put behind what is said of it."""
        said = self.log.last_words()
        return f":\n{indented(said)}" if said else ", which wrote nothing"


@contextmanager
def running(
    name: str,
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path,
    log: Log,
    output: Log | None = None,
    pass_fds: Collection[int] = (),
) -> Iterator[Process]:
    """Start `argv` in a session of its own; kill it at the end if it still runs.

    `output`, if given, gets its standard output, and `log` the rest; it inherits `pass_fds`. Signals meant for us do
    not reach it, so teardown keeps its order. Raises ProgramError if the program cannot be started at all.
    """
    words = [program(argv[0], env), *argv[1:]]
    try:
        popen = subprocess.Popen(
            words,
            env=dict(env),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=(output or log).write_end,
            stderr=log.write_end,
            start_new_session=True,
            pass_fds=pass_fds,
        )
    except OSError as error:
        raise ProgramError(f"{name} cannot be started: {_why_not(Path(words[0]), error)}") from error
    for one in (log, output or log):
        one.started()
    process = Process(name, popen.pid, log, popen)
    try:
        yield process
    finally:
        process.close()


@contextmanager
def on_cpus(numbers: Collection[int]) -> Iterator[None]:
    """What this thread starts in the block may run on these CPUs alone (sched_setaffinity(2)); without any, on all.

    Raises RigError for a CPU that is not here, or not ours to use.
    """
    if not numbers:
        yield
        return
    ours = os.sched_getaffinity(0)
    if lacking := set(numbers) - ours:
        raise RigError(
            f"`cpus` names {cpus(lacking)}, and fuselab may use {cpus(ours)} here: name some of these"
        )
    os.sched_setaffinity(0, numbers)
    try:
        yield
    finally:
        os.sched_setaffinity(0, ours)


def run(
    name: str, argv: Sequence[str], *, env: Mapping[str, str], cwd: Path, log: Path, timeout_s: float
) -> None:
    """Run `argv` to its end. Raises TargetError, with its last words, for an exit code or a timeout."""
    with Log(log) as output, running(name, argv, env=env, cwd=cwd, log=output) as process:
        ended = process.wait(timeout_s)
        if not ended:
            process.kill()
        output.close()
        if not ended:
            raise TargetError(f"`{' '.join(argv)}` did not end within {timeout_s:g} s: {process.described()}")
        if process.exit_code != 0:
            raise TargetError(f"`{' '.join(argv)}` failed: {process.described()}")


def step(
    name: str, argv: Sequence[str], *, env: Mapping[str, str], cwd: Path, log: Path, timeout_s: float
) -> None:
    """As `run`, of a command that the variant or its load asks for: that it cannot be started is a TargetError too."""
    try:
        run(name, argv, env=env, cwd=cwd, log=log, timeout_s=timeout_s)
    except ProgramError as error:
        raise TargetError(f"{name} failed: {error}") from error


def plain_env(scratch: Path) -> dict[str, str]:
    """What every program of a run finds in its environment, before its own: the same for everybody's shell.

    Of what else the caller's shell holds, a target gets what its `pass_env` names. Our own virtual environment is not
    on its PATH: whether somebody has activated it would decide which Python a target finds.
    """
    kept = {name: value for name, value in os.environ.items() if name in _INHERITED}
    if "PATH" in kept:
        kept["PATH"] = _without_ours(kept["PATH"])
    return {"LANG": "C.UTF-8", **kept, "TMPDIR": str(scratch)}


@contextmanager
def handled(
    numbers: Iterable[int], handler: Callable[[int, FrameType | None], object] | signal.Handlers
) -> Iterator[None]:
    """Give the signals `numbers` to `handler` until the block ends."""
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)


def _why_not(path: Path, error: OSError) -> str:
    """What the system's words for a program that is there, but cannot be started, leave out."""
    if error.filename != str(path):  # the folder to start it in
        return f"{error.strerror}: {error.filename}"
    if error.errno == errno.ENOENT and path.is_file():
        with path.open("rb") as file:
            first = file.readline(512)
        if not first.startswith(b"#!"):
            return f"{path} was built for another system: the loader that it names is missing"
        interpreter = (first[2:].strip(b" \t\n").split() or [b""])[0].decode(errors="replace")
        return (
            f"the interpreter `{interpreter}`, which the first line of {path} names, is missing: install it"
        )
    if error.errno == errno.EACCES and not os.access(path, os.X_OK):
        return f"{path} may not be executed: chmod +x {path}"
    return f"{error.strerror}: {path}"


def _without_ours(path: str) -> str:
    """PATH without the folder of our own virtual environment, if we run in one."""
    if sys.prefix == sys.base_prefix:
        return path
    ours = os.path.realpath(Path(sys.prefix, "bin"))
    return os.pathsep.join(f for f in path.split(os.pathsep) if not f or os.path.realpath(f) != ours)


def signal_of(name: str) -> signal.Signals:
    """`TERM` or `SIGTERM`."""
    return signal.Signals[f"SIG{name.removeprefix('SIG')}"]


def exit_words(code: int) -> str:
    """How a program ended: as `subprocess` counts a signal, or as a shell tells that of what it ran."""
    if code < 0:
        return f"killed by {_signal_name(-code)}"
    if code - 128 in _FATAL:
        return f"exit code {code}, as of what was ended by {_signal_name(code - 128)}"
    return f"exit code {code}"


def ended_words(code: int) -> str:
    """The same, as what it did: `ended with exit code 1`, `was killed by SIGKILL`."""
    return f"was {exit_words(code)}" if code < 0 else f"ended with {exit_words(code)}"


def _signal_name(number: int) -> str:
    with suppress(ValueError):
        return signal.Signals(number).name
    return f"signal {number}"


def indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())


def pause_s(started_s: float, deadline_s: float) -> float:
    """Seconds until the next look of a poll: a fifth of what was waited so far, 1 to 100 ms, not past the end."""
    now = time.monotonic()
    return max(0.0, min(max(0.001, (now - started_s) / 5), 0.1, deadline_s - now))


def readable(descriptor: int, timeout_s: float) -> bool:
    """Whether there is something to read, or an end, within `timeout_s`."""
    poller = select.poll()
    poller.register(descriptor, select.POLLIN)
    return bool(poller.poll(max(0.0, timeout_s) * 1000))
