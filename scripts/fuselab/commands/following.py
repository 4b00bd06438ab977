"""Running a program that ends when we do: at a signal, in order; at kill -9, by the kernel."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Timer
from typing import NoReturn, Protocol

import msgspec

from fuselab.commands.common import fail
from fuselab.project import find
from fuselab.workflow.telling import FOLLOWED, Event

_SNAKEMAKE = (sys.executable, "-m", "snakemake")
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_ENDING_S = 30.0
"""How long what was asked to end may take, before it is killed."""
_WITHOUT_NEWS = b"Using workflow specific profile "
"""What Snakemake itself puts on the screen before it reads the Snakefile."""
_TICK_S = 1.0
"""How often a line about time is looked at again: each time is work beside what is timed."""


class Stopped(Exception):
    """We were asked to end by the signal `number`, and what we had started has ended."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


class Hearer(Protocol):
    """Whoever shows how far Snakemake has come."""

    def told(self, event: Event) -> bool:
        """Whether to go on."""

    def said(self, line: str) -> None:
        """Something that a job has put on the screen, for a person to read."""

    def tick(self) -> None:
        """Time has passed."""


@contextmanager
def started(
    argv: Sequence[str],
    cwd: Path,
    output: int | None = None,
    env: Mapping[str, str] | None = None,
    pass_fds: Sequence[int] = (),
) -> Iterator[Child]:
    """`argv` as a child that ends before the block is left.

    It gets a signal of ours once, as SIGINT, however many processes a terminal tells. What it prints goes to the
    descriptor `output` if there is one. `setpriv --pdeathsig` kills it when we die; its own jobs watch it in turn.
    Raises Stopped at the end of the block after a signal.
    """
    # A process group of its own: Ctrl-C comes to us alone, and is passed on once.
    process = subprocess.Popen(
        ["setpriv", "--pdeathsig", "KILL", *argv],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output if output != subprocess.PIPE else subprocess.STDOUT,
        process_group=0,
        env=None if env is None else {**os.environ, **env},
        pass_fds=pass_fds,
    )
    child = Child(process)
    told: list[int] = []

    def tell(number: int, _: object) -> None:
        told.append(number)
        child.end()

    before = {number: signal.signal(number, tell) for number in _SIGNALS}
    try:
        yield child
    except BaseException:
        child.end()
        raise
    finally:
        process.wait()
        if process.stdout:
            process.stdout.close()
        child.ended()
        for number, handler in before.items():
            signal.signal(number, handler)
    if told:
        raise Stopped(told[0])


class Child:
    """A process that is asked to end at most once, and killed if it does not."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.is_ending = False
        self._killing = Timer(_ENDING_S, process.kill)

    def end(self) -> None:
        if not self.is_ending:
            self.is_ending = True
            self.process.send_signal(signal.SIGINT)
            self._killing.start()

    def ended(self) -> None:
        self._killing.cancel()


def run_to_the_end(
    argv: Sequence[str], cwd: Path, output: int | None = None, env: Mapping[str, str] | None = None
) -> int:
    """The exit code of `argv`, as `started` starts it. Raises Stopped after a signal."""
    with started(argv, cwd, output, env) as child:
        return child.process.wait()


def make(root: Path, file: Path, *words: str, output: int | None = None) -> int:
    """The exit code of the Snakemake that makes `file` in the project `root`; ends with us at a signal.

    What came of it is for the caller to say.
    """
    try:
        return run_to_the_end(snakemake([file, *words]), root, output, {FOLLOWED: ""})
    except Stopped as stopped:
        fail_stopped(stopped)


def follow(root: Path, files: Sequence[Path], hearer: Hearer, on: str | None = None) -> int:
    """As `make`, of several files, with `hearer` in the place of the screen. It is ended once the hearer has enough.

    Jobs go to the cluster of the profile `on`, if one is named.
    Raises Stopped after a signal.
    """
    argv = snakemake(files) if on is None else [*_SNAKEMAKE, *_profile(root, on), *map(str, files)]
    with ExitStack() as stack:
        reading, writing = os.pipe()
        stack.callback(os.close, reading)
        try:
            child = stack.enter_context(
                started(argv, root, subprocess.PIPE, {FOLLOWED: str(writing)}, (writing,))
            )
        finally:
            os.close(writing)
        assert child.process.stdout is not None
        events, said = _Lines(reading), _Lines(child.process.stdout.fileno())
        with selectors.DefaultSelector() as selector:
            for lines in (events, said):
                selector.register(lines.descriptor, selectors.EVENT_READ, lines)
            while not events.ended:
                for key, _ in selector.select(_TICK_S):
                    _hear(key.data, events, child, hearer)
                    if key.data.ended:
                        selector.unregister(key.fd)
                hearer.tick()
        code = child.process.wait()
        _hear(said, events, child, hearer)
    return code


def _hear(lines: _Lines, events: _Lines, child: Child, hearer: Hearer) -> None:
    for line in lines.read():
        if child.is_ending:
            return
        if lines is not events:
            if not line.startswith(_WITHOUT_NEWS):
                hearer.said(line.decode(errors="replace"))
        elif not hearer.told(msgspec.json.decode(line, type=Event)):
            child.end()


class _Lines:
    """Whole lines of a descriptor, as far as they have come; it is never waited for."""

    def __init__(self, descriptor: int) -> None:
        os.set_blocking(descriptor, False)
        self.descriptor = descriptor
        self.ended = False
        self._rest = b""

    def read(self) -> list[bytes]:
        while not self.ended:
            try:
                got = os.read(self.descriptor, 1 << 16)
            except BlockingIOError:
                break
            self._rest += got
            self.ended = not got
        *lines, self._rest = self._rest.split(b"\n")
        return lines


def snakemake(files: Sequence[Path | str]) -> list[str]:
    return [*_SNAKEMAKE, "--cores", "all", *map(str, files)]


def _profile(root: Path, on: str) -> list[str]:
    """What has Snakemake submit its jobs as `profiles/<on>` says: the project's own, else the shipped one."""
    return ["--workflow-profile", str(find(root, f"profiles/{on}/config.yaml").parent)]


def fail_stopped(stopped: Stopped) -> NoReturn:
    fail(f"stopped by {stopped}; the same call goes on from here", 128 + stopped.number)
