"""What a killed Snakemake leaves, put right before the next looks: locks, marks on whole work, and half work."""

from __future__ import annotations

import os
import re
import shutil
import time
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from snakemake import exceptions

from fuselab.checksums import SUMS
from fuselab.files import closing
from fuselab.locks import holders, open_lock, share_lock, try_lock
from fuselab.records.places import Results
from fuselab.workflow.cluster_jobs import end_jobs_of_the_dead

_SKEW_NS, _STEP_NS = 1_000_000_000, 1_000
"""By how much another machine's clock may be ahead; what lies between dates that are made up."""
_SCRIPT = re.compile(r"tmp[a-z0-9_]{8}\.[a-z_]+\.py")


@dataclass(frozen=True)
class Guard:
    """Marks a main process as living for as long as it is open."""

    descriptor: int
    alone: bool
    """Whether no other lived in the checkout when this one began."""

    def close(self) -> None:
        os.close(self.descriptor)


def clear_up(root: Path) -> Guard:
    """Clear up behind a Snakemake that was killed in `root`, if none lives there; what marks this one as living.

    Every main process holds a shared flock on one file; whoever can take it exclusively is alone. The kernel drops a
    flock with its process, however that died. Snakemake's own lock files hold no process id.
    """
    folder, guard = root / ".snakemake", _open_guard(root)
    first = try_lock(guard)
    if first:
        _bring_back_from_the_future(root, folder)  # while the dates that Snakemake has left tell
        for lock in (folder / "locks").glob("*"):
            lock.unlink(missing_ok=True)
        end_jobs_of_the_dead(root)
        _keep_what_is_whole(root, folder / "incomplete")
        _remove_what_is_half(root, folder / "incomplete")
        _remove_scripts(folder / "scripts")
    else:
        exceptions.LockException = _busy(guard)
    share_lock(guard)
    return Guard(guard, alone=first)


@contextmanager
def alone(root: Path) -> Iterator[bool]:
    """Whether no snakemake of this checkout lives; none can begin to while inside."""
    with closing(_open_guard(root)) as guard:
        yield try_lock(guard)


def _open_guard(root: Path) -> int:
    folder = root / ".snakemake"
    folder.mkdir(exist_ok=True)
    return open_lock(folder / "fuselab.flock")


def _busy(guard: int) -> type[exceptions.WorkflowError]:
    """What Snakemake raises where another one makes the same files, in words of a checkout with living processes.

    Its own say to remove the lock by hand: here nobody's lock outlives him.
    """
    numbers = " and ".join(str(pid) for pid in holders(guard) if pid != os.getpid()) or "of an unknown number"

    class LockException(exceptions.WorkflowError):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(
                f"another snakemake of this checkout is at work on the same files (process {numbers}): wait until it "
                "has ended, or end it with Ctrl-C or kill; what it has measured is kept"
            )

    return LockException


def _keep_what_is_whole(root: Path, marks: Path) -> None:
    """Take the mark `incomplete` off measurements and builds that are whole: their sums are written last.

    Snakemake takes it off only when it has noticed that the job has ended. Killed in between, it would delete the
    measurement and make it again.
    """
    for mark in _files(marks):
        if (root / _marked(mark.relative_to(marks)) / SUMS).is_file():
            mark.unlink(missing_ok=True)


def _remove_what_is_half(root: Path, marks: Path) -> None:
    """Delete what jobs were making when they were killed, so that it is missing and no more than that.

    Snakemake would make it again because of its mark, and then leave out all that stands behind it as an `ancient`
    input: the call would end well without what was asked. A mark is Snakemake's own word that a job of this checkout
    was making the file; only what lies below `results/` is believed to be one, and no link is followed.
    """
    results = Results(root).folder.resolve()
    for mark in _files(marks):
        try:
            name = Path(_marked(mark.relative_to(marks)))
        except ValueError:  # no mark: what a network filesystem leaves, say
            continue
        output = root / name
        if not name.is_relative_to(Results().folder) or ".." in name.parts or len(name.parts) < 2:
            continue
        if output.parent.resolve() != results / Path(*name.parts[1:-1]):
            continue  # a link on the way leads elsewhere
        if output.is_dir() and not output.is_symlink():
            shutil.rmtree(output)
        else:
            with suppress(FileNotFoundError):
                output.unlink()
        mark.unlink(missing_ok=True)


def _remove_scripts(folder: Path) -> None:
    """Delete the copies of scripts that Snakemake makes for its jobs, and removes when they end."""
    for path in folder.glob("*.py"):
        if _SCRIPT.fullmatch(path.name) and path.is_file() and not path.is_symlink():
            path.unlink(missing_ok=True)


def _bring_back_from_the_future(root: Path, own: Path) -> None:
    """Date what was made before the clock was set back as of now, in the order that it has.

    Snakemake fails each job whose output is older than an input, also where the input's date decides nothing.
    Whatever it begins and ends leaves a date in its `own` folder, so that only a clock that went back is paid for.
    """
    now = time.time_ns()
    if not (left := [path for path in own.iterdir() if path.lstat().st_mtime_ns > now + _SKEW_NS]):
        return
    ahead = {path: date for path in _made(Results(root)) if (date := path.lstat().st_mtime_ns) > now}
    rank = {date: place for place, date in enumerate(sorted({*ahead.values()}, reverse=True))}
    for path, date in ahead.items():
        then = now - rank[date] * _STEP_NS
        os.utime(path, ns=(then, then), follow_symlinks=False)
    for path in left:
        os.utime(path, ns=(now, now), follow_symlinks=False)


def _made(results: Results) -> Iterator[Path]:
    """All files and folders but the state of runs, where something may be mounted by hand."""
    for folder, below, names in os.walk(results.folder):
        below[:] = [name for name in below if Path(folder, name) != results.state]
        yield from (Path(folder, name) for name in (*names, *below))


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def _marked(mark: Path) -> str:
    """The output that a mark is for: its name is the path in base64, cut into folders (`@...`) where it is long."""
    encoded = "".join(part.removeprefix("@") for part in mark.parts)
    return urlsafe_b64decode(encoded).decode(errors="replace")
