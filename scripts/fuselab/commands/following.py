"""Running a program that ends when we do: at a signal, in order; at kill -9, by the kernel."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from threading import Timer

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_ENDING_S = 30.0
"""How long what was asked to end may take, before it is killed."""


class Stopped(Exception):
    """We were asked to end by the signal `number`, and what we had started has ended."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


def run_to_the_end(argv: Sequence[str], cwd: Path) -> int:
    """The exit code of `argv`. It gets a signal of ours once, as SIGINT, however many processes a terminal tells.

    `setpriv --pdeathsig` kills it when we die; its own jobs watch it in turn. Raises Stopped after a signal.
    """
    # A process group of its own: Ctrl-C comes to us alone, and is passed on once.
    child = subprocess.Popen(
        ["setpriv", "--pdeathsig", "KILL", *argv], cwd=cwd, stdin=subprocess.DEVNULL, process_group=0
    )
    told: list[int] = []
    ending = Timer(_ENDING_S, child.kill)

    def tell(number: int, _: object) -> None:
        told.append(number)
        if len(told) == 1:
            child.send_signal(signal.SIGINT)
            ending.start()

    before = {number: signal.signal(number, tell) for number in _SIGNALS}
    try:
        code = child.wait()
    finally:
        ending.cancel()
        for number, handler in before.items():
            signal.signal(number, handler)
    if told:
        raise Stopped(told[0])
    return code
