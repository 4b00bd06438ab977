"""What a killed Snakemake leaves in `.snakemake/`, put right before the next looks: locks, and marks on whole work."""

from __future__ import annotations

import fcntl
import os
from base64 import urlsafe_b64decode
from pathlib import Path
from typing import TextIO

from fuselab.measure import RECORDS


def take_over(root: Path) -> TextIO:
    """Clear up behind a Snakemake that was killed in `root`, if none lives there; return what marks this one as living.

    Every main process holds a shared flock on one file; whoever can take it exclusively is alone. The kernel drops a
    flock with its process, however that died. Snakemake's own lock files hold no process id.
    """
    folder = root / ".snakemake"
    folder.mkdir(exist_ok=True)
    guard = (folder / "fuselab.flock").open("a")
    os.set_inheritable(guard.fileno(), False)
    try:
        fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        pass
    else:
        for lock in (folder / "locks").glob("*"):
            lock.unlink(missing_ok=True)
        _keep_what_is_whole(root, folder / "incomplete")
    fcntl.flock(guard, fcntl.LOCK_SH)
    return guard


def _keep_what_is_whole(root: Path, marks: Path) -> None:
    """Take the mark `incomplete` off measurements that are in their place: they came there whole, by one rename.

    Snakemake takes it off only when it has noticed that the job has ended. Killed in between, it would delete the
    measurement and make it again.
    """
    for mark in [path for path in marks.rglob("*") if path.is_file()]:
        output = root / _marked(mark.relative_to(marks))
        if any((output / name).is_file() for name in RECORDS):
            mark.unlink(missing_ok=True)


def _marked(mark: Path) -> str:
    """The output that a mark is for: its name is the path in base64, cut into folders (`@...`) where it is long."""
    encoded = "".join(part.removeprefix("@") for part in mark.parts)
    return urlsafe_b64decode(encoded).decode(errors="replace")
