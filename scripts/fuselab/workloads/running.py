"""Running one load program to its end, whatever the filesystem below it does."""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from fuselab.system.log import Log
from fuselab.system.process import STOPPED, exit_words, indented, plain_env, running
from fuselab.workloads.base import LoadContext

_ASKED_TO_END_S = 5.0


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
) -> Ended:
    """Run `argv`; what it writes goes to the file `log` of the run folder, or its standard output to the file `output`
    there. After `timeout_s`, of its own turns if it takes any: SIGINT, then SIGKILL.

    Raises ProgramError if the program cannot be started.
    """
    full = {**plain_env(context.scratch), **context.env, **(env or {})}
    with ExitStack() as stack:
        errors = stack.enter_context(Log(context.out / log))
        said = stack.enter_context(Log(context.out / output)) if output else errors
        program = running(argv[0], argv, env=full, cwd=cwd, log=errors, output=said)
        if context.looked_at is None:
            process = stack.enter_context(program)
        else:
            with context.looked_at.starting():  # we, who wait for it, are not looked at
                process = stack.enter_context(program)
            context.looked_at.add(process.pid)
        waits = process.wait if context.turns is None else partial(context.turns.wait, process)
        timed_out = not waits(timeout_s)
        stopped = process.stopped
        if timed_out:
            process.stop(signal.SIGINT, _ASKED_TO_END_S)
        code = process.exit_code
        for one in (errors, said):
            one.close()
        last = errors.last_words() or said.last_words()
        return Ended(-signal.SIGKILL if code is None else code, timed_out, last, stopped)
