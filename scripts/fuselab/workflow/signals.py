"""Ctrl-C or SIGTERM reaches the jobs too: Snakemake itself waits for them to end, and a compiler takes minutes."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import suppress
from pathlib import Path

from fuselab.system.namespaces import PARENT

_SCRIPTS = b".snakemake/scripts/"
"""Where Snakemake puts the script of a job: part of the command line of the process that runs it, and of no other."""


def pass_on_signals() -> None:
    """From now on, SIGINT and SIGTERM to this process end its jobs. Leaves every signal handler as it is.

    A job takes down what it has started, in its own order; killed outright, the kernel does (`rig.namespaces`).
    """
    reading, writing = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    os.set_blocking(reading, True)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    threading.Thread(target=_pass_on, args=(reading,), name="pass on signals", daemon=True).start()


def _pass_on(reading: int) -> None:
    while caught := os.read(reading, 1):
        if caught[0] in (signal.SIGINT, signal.SIGTERM):
            for pid in jobs_of(os.getpid()):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGTERM)


def jobs_of(snakemake: int) -> list[int]:
    """Processes that run the scripts of the jobs of the main process `snakemake`."""
    pids = []
    named = f"{PARENT}={snakemake}".encode()
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            ours = _SCRIPTS in (folder / "cmdline").read_bytes()
            if ours and named in (folder / "environ").read_bytes().split(b"\0"):
                pids.append(int(folder.name))
    return pids
