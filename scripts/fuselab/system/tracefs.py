"""tracefs: which of its own events the kernel can tell of, and what they are called."""

from __future__ import annotations

import os
from pathlib import Path

from fuselab.system import kernel

FOLDER = Path("/sys/kernel/tracing")
ENTER, EXIT = "sys_enter", "sys_exit"
"""Of the group `raw_syscalls`: a system call begins, and ends."""
SEND, END = "fuse_request_send", "fuse_request_end"
"""Of the group `fuse`, since Linux 6.12: a request joins its connection's queue, and its answer is there."""
READS = ("sys_exit_read", "sys_exit_readv", "sys_exit_splice")
"""Of the group `syscalls`: calls that bring a request to a FUSE server."""
FORK = "sched_process_fork"
"""Of the group `sched`: a thread or a process begins."""


def mount() -> None:
    """Where it is not mounted, and that is permitted."""
    kernel.mount("tracefs", FOLDER)


def has(event: str) -> bool | None:
    """Whether the kernel tells of the event `group:name`; None if nobody here may look.

    That root has not mounted it yet says nothing: it is taken to be there.
    """
    events = FOLDER / "events"
    if os.geteuid() == 0 and not os.path.ismount(FOLDER):
        return True
    if not os.access(events, os.R_OK | os.X_OK):
        return None
    return (events / event.replace(":", "/")).is_dir()
