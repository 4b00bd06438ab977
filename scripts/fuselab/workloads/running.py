"""Running one load program to its end, whatever the filesystem below it does."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

from fuselab.system.log import Log
from fuselab.system.process import STOPPED, exit_words, indented, plain_env, readable, running
from fuselab.workloads.base import LoadContext

_ASKED_TO_END_S = 5.0


class _StartLine:
    """Where a program that prepares first says that it is ready, and waits until it may begin.

    Two pipes that it inherits: each of its processes writes a line into the one, and reads the other until that is
    closed here. Whoever comes later does not wait.
    """

    def __init__(self, stack: ExitStack) -> None:
        """Its ends are closed with `stack` at the latest."""
        self._said, self._say = (stack.enter_context(end) for end in _pipe())
        self._held, self._holding = (stack.enter_context(end) for end in _pipe())
        self.inherited = self._say.fileno(), self._held.fileno()
        say, held = self.inherited
        self.command = f"echo >/proc/self/fd/{say} && ! read _ </proc/self/fd/{held}"
        """What the program has its shell do. A `;` or `#` in it would end an option of fio's."""

    def reached(self, within_s: float) -> bool:
        """Whether the program, which was started, is ready in that time; not if it ends before."""
        self._say.close()
        self._held.close()
        return readable(self._said.fileno(), within_s) and bool(self._said.read(1))

    def let_go(self) -> None:
        self._holding.close()


def _pipe() -> tuple[BinaryIO, BinaryIO]:
    reading, writing = os.pipe()
    return open(reading, "rb", buffering=0), open(writing, "wb", buffering=0)


@dataclass(frozen=True)
class Ended:
    """How a load's program ended. `exit_code` is -9 for one that could not even be killed."""

    exit_code: int
    timed_out: bool
    said: str
    """Its last words."""
    stopped: bool = False
    """Whether somebody had stopped it when its time was over."""

    def words(self, timeout_s: float | None = None) -> str:
        how = (
            f"it did not end within {timeout_s:g} s{f' ({STOPPED})' if self.stopped else ''}"
            if self.timed_out and timeout_s
            else exit_words(self.exit_code)
        )
        return how + self.quoted

    @property
    def quoted(self) -> str:
        """Its last words, to be put behind what is said of it."""
        return f":\n{indented(self.said)}" if self.said else ""


def finish(
    argv: Sequence[str],
    context: LoadContext,
    *,
    cwd: Path,
    log: str,
    timeout_s: float,
    env: Mapping[str, str] | None = None,
    output: str | None = None,
    begins: str | None = None,
) -> Ended:
    """Run `argv`; what it writes goes to the file `log` of the run folder, or its standard output to the file `output`
    there. After `timeout_s`, of its own turns if it takes any: SIGINT, then SIGKILL.

    `begins`: the variable in which it finds a shell's command that it is to call when it is ready, in as much time
    again; `context.begin` is called then, and the command ends.

    Raises ProgramError if the program cannot be started.
    """
    full = {**plain_env(context.scratch), **context.env, **(env or {})}
    with ExitStack() as stack:
        start = _StartLine(stack)
        if begins:
            full[begins] = start.command
        errors = stack.enter_context(Log(context.out / log))
        said = stack.enter_context(Log(context.out / output)) if output else errors
        program = running(argv[0], argv, env=full, cwd=cwd, log=errors, output=said,
                          pass_fds=start.inherited if begins else ())  # fmt: skip
        if context.looked_at is None:
            process = stack.enter_context(program)
        else:
            with context.looked_at.starting():  # we, who wait for it, are not looked at
                process = stack.enter_context(program)
            context.looked_at.add(process.pid)
        waits = process.wait if context.turns is None else partial(context.turns.wait, process)
        if begins and start.reached(timeout_s):
            context.begin()
            start.let_go()
        elif begins:
            timeout_s = _ASKED_TO_END_S
        timed_out = not waits(timeout_s)
        stopped = process.stopped
        if timed_out:
            process.stop(signal.SIGINT, _ASKED_TO_END_S)
        code = process.exit_code
        for one in (errors, said):
            one.close()
        last = errors.last_words() or said.last_words()
        return Ended(-signal.SIGKILL if code is None else code, timed_out, last, stopped)
