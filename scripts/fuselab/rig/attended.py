"""A load stands on the target and its service: when one of them dies, what is running ends at once, and is told why."""

from __future__ import annotations

import os
import select
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from fuselab.rig import procfs
from fuselab.rig.errors import NotPermittedError, RigError, TargetError
from fuselab.rig.process import Process

_GRACE_S = 1.0
"""For what is running to end by itself: its own complaint says most."""


@contextmanager
def blamed(serving: Sequence[Process], doing: str, targets: Sequence[Process] = ()) -> Iterator[None]:
    """Raise TargetError at the end of the block if one of `serving` has ended: the first, with its last words.

    Whatever the block raised about it is part of that. `serving` has causes before effects: a service before targets.
    If all of them live, the last words of `targets` are added to a failure: only they know why they refused.
    """
    said = ""
    try:
        yield
    except TargetError as error:
        if not _gone(serving):
            if isinstance(error, NotPermittedError):
                raise
            raise TargetError(f"{error}{_last_words(targets)}") from error
        said = f"\n{error}" if str(error) else ""
    except RigError:  # a profiler that lost its target complains first
        if not _gone(serving):
            raise
    if gone := _gone(serving):
        gone[0].wait(0)
        # It was waited for when it was mounted, but not for ever.
        hint = (
            ". If it goes into the background, give it its foreground option"
            if gone[0].exit_code == 0
            else ""
        )
        raise TargetError(f"died during the {doing}{hint}: {gone[0].described()}{said}")


@contextmanager
def attended(serving: Sequence[Process]) -> Iterator[threading.Event]:
    """Kill what the block has started, and those of `serving` that stand on it, soon after one of them has ended.

    The event is set once that has happened: how what was started ended then says nothing about it, so a TargetError
    of the block loses its words.
    """
    over, killed = threading.Event(), threading.Event()
    wake, woken = os.pipe2(os.O_CLOEXEC)
    arguments = (serving, procfs.family(os.getpid()), wake, over, killed)
    watcher = threading.Thread(target=_watch, args=arguments, name="attended", daemon=True)
    watcher.start()
    try:
        yield killed
    except TargetError:
        if killed.is_set():
            raise TargetError from None
        raise
    finally:
        over.set()
        os.close(woken)
        watcher.join()
        os.close(wake)


def _gone(serving: Sequence[Process]) -> list[Process]:
    return [process for process in serving if not process.running]


def _last_words(targets: Sequence[Process]) -> str:
    said = [
        f"\nThe {target.name}'s last words{target.words()}" for target in targets if target.log.last_lines()
    ]
    return "".join(said)


def _watch(
    serving: Sequence[Process], before: set[int], wake: int, over: threading.Event, killed: threading.Event
) -> None:
    poller = select.poll()
    for descriptor in (wake, *(process.pidfd for process in serving)):
        poller.register(descriptor, select.POLLIN)
    poller.poll()
    gone = _gone(serving)
    if not gone or over.wait(_GRACE_S):
        return
    killed.set()
    # A target that waits for its store would hold whoever waits for the target.
    above = serving[serving.index(gone[0]) + 1 :]
    started = procfs.family(os.getpid()) - before
    for pid in started.union(*(procfs.family(process.pid) for process in above if process.running)):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
