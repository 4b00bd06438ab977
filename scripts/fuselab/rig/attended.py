"""A load stands on the target and its service: when one of them dies, what is running ends at once, and is told why."""

from __future__ import annotations

import os
import select
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from fuselab.rig import procfs
from fuselab.rig.errors import RigError, TargetError
from fuselab.rig.process import Process

_GRACE_S = 1.0
"""For what is running to end by itself: its own complaint says most."""


@contextmanager
def attended(serving: Sequence[Process], doing: str) -> Iterator[None]:
    """End `serving`, and all that the block has started, soon after one of `serving` has ended: causes before effects.

    Raises TargetError, with its last words, if one ended; whatever the block raised about it is part of that.
    """
    over = threading.Event()
    wake, woken = os.pipe2(os.O_CLOEXEC)
    first: list[Process] = []
    before = procfs.family(os.getpid())
    arguments = (serving, before, wake, over, first)
    watcher = threading.Thread(target=_watch, args=arguments, name="attended", daemon=True)
    watcher.start()
    said = ""
    try:
        yield
    except TargetError as error:
        if not _gone(serving):
            raise
        said = f"\n{error}"
    except RigError:  # a profiler that lost its target complains first
        if not _gone(serving):
            raise
    finally:
        over.set()
        os.close(woken)
        watcher.join()
        os.close(wake)
    if gone := first or _gone(serving):
        gone[0].wait(0)
        raise TargetError(f"died during the {doing}: {gone[0].described()}{said}")


def _gone(serving: Sequence[Process]) -> list[Process]:
    return [process for process in serving if not process.running]


def _watch(
    serving: Sequence[Process], before: set[int], wake: int, over: threading.Event, first: list[Process]
) -> None:
    poller = select.poll()
    for descriptor in (wake, *(process.pidfd for process in serving)):
        poller.register(descriptor, select.POLLIN)
    poller.poll()
    first += _gone(serving)[:1]
    if not first or over.wait(_GRACE_S):
        return
    # A target that waits for its store would hold whoever waits for the target.
    started = procfs.family(os.getpid()) - before
    for pid in started.union(*(procfs.family(process.pid) for process in serving if process.running)):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
