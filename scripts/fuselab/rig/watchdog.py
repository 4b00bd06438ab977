"""A load stands on the target and its service: when one of them dies, or all stand still, what is running ends at
once, and is told why."""

from __future__ import annotations

import os
import select
import signal
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

from fuselab.errors import CannotLookError, HungError, RigError, TargetError
from fuselab.files import write_json
from fuselab.rig import hang
from fuselab.rig.disturbance import STEP_S, Disturbance
from fuselab.rig.progress import Progress
from fuselab.rig.session import Session, Standing
from fuselab.system import kernel, procfs
from fuselab.system.process import Process

_GRACE_S = 1.0
"""For what is running to end by itself: its own complaint says most."""


@contextmanager
def blamed(serving: Sequence[Standing], doing: str, targets: Sequence[Process] = ()) -> Iterator[None]:
    """Raise TargetError at the end of the block if one of `serving` is gone: the first to end, with its last words.

    Whatever the block raised about it is part of that. `serving` has causes before effects: a service before targets.
    If all of them live, the last words of `targets` are added to a failure: only they know why they refused.
    """
    said = ""
    try:
        yield
    except HungError:  # what it did to the target may have ended that
        raise
    except TargetError as error:
        if not gone(serving):
            if isinstance(error, CannotLookError):
                raise
            raise type(error)(f"{error}{_last_words(targets)}{_lost(serving)}") from error
        said = f"\n{error}" if str(error) else ""
    except RigError:  # a profiler that lost its target complains first
        if not gone(serving):
            raise
    if ended := gone(serving):
        ended[0].wait(0)
        # It was waited for when it was mounted, but not for ever.
        hint = (
            ". If it goes into the background, give it its foreground option"
            if ended[0].exit_code == 0
            else ""
        )
        others = "".join(
            f"\n{process.described()}" for process in _of_one(serving, ended[0]) if process in ended[1:]
        )
        raise TargetError(f"died during the {doing}{hint}: {ended[0].described()}{others}{said}")


class Watchdog:
    """Looks at a run while its load goes on, and keeps what it has seen."""

    def __init__(self, at: Session) -> None:
        self.killed = False
        """Whether what was started was killed, because what it stands on is gone: how it ended then says nothing."""
        self.hang: hang.Hang | None = None
        self.disturbance = Disturbance()
        self._at = at
        self._before = procfs.family(os.getpid())
        further = sum(len(members) - 1 for members in at.place.serving.values())
        self._progress = Progress(at.targets, at.place.request.mount.hang_s, further)

    def watch(self, wake: int, over: threading.Event) -> None:
        """Look every `STEP_S` until the block is `over`, which `wake` tells too, or nothing is left to look at."""
        serving = self._at.serving
        poller = select.poll()
        for descriptor in (wake, *(process.pidfd for each in serving for process in each)):
            poller.register(descriptor, select.POLLIN)
        while wake not in (ended := [descriptor for descriptor, _ in poller.poll(STEP_S * 1000)]):
            if gone(serving):
                break
            for descriptor in ended:  # a member that the others do without
                poller.unregister(descriptor)
            with suppress(OSError):  # what is looked at has ended: the next poll says so
                if not ended and self._look():
                    return
        first = next(iter(gone(serving)), None)
        if first and not over.wait(_GRACE_S):
            self.killed = True
            # A target that waits for its store would hold whoever waits for the target.
            upwards = serving[serving.index(_of_one(serving, first)) + 1 :]
            above = [process.pid for each in upwards for process in each if process.running]
            started = procfs.family(os.getpid()) - self._before
            _kill(started.union(*map(procfs.family, above)))

    def _look(self) -> bool:
        """One look; True once the run has been ended for want of progress."""
        table = procfs.own_processes()
        target, service = self._at.place.family.pids(), self._service(table)
        load = procfs.descendants(table, os.getpid()) - self._before - target - service
        self.disturbance.look(
            table, [pid for pid, process in table.items() if process.parent == os.getpid()]
        )  # fmt: skip
        hung = self._progress.hung(time.monotonic(), table, load, target | service)
        if hung:
            self.hang = hang.see(self._at.targets, self._progress.still_s, load, target, service)
            with suppress(OSError):  # a full disk must not keep it from being ended
                write_json(self._at.place.out / hang.FILE, self.hang)
            self._end(load)
        return hung

    def _service(self, table: Mapping[int, procfs.ProcessTimes]) -> set[int]:
        servers = self._at.place.serving.values()
        pids = (process.pid for each in servers for process in each)
        return set().union(*(procfs.descendants(table, pid) for pid in pids)) & table.keys()

    def _end(self, load: set[int]) -> None:
        """Free whoever waits on the mounts, and kill the load."""
        for target in self._at.targets:
            target.hurry()
            if not kernel.abort_connection(target.mount.device):
                target.process.kill()
        _kill(load)


@contextmanager
def watched(at: Session) -> Iterator[Watchdog]:
    """Kill what the block has started, and those that it stands on above the first to end, soon after that; and all
    of it, with a HungError at the end, if it stands still.

    How what was started ended then says nothing about it, so a TargetError of the block loses its words.
    """
    watchdog, over = Watchdog(at), threading.Event()
    wake, woken = os.pipe2(os.O_CLOEXEC)
    watcher = threading.Thread(target=watchdog.watch, args=(wake, over), name="watchdog", daemon=True)
    watcher.start()
    try:
        yield watchdog
    except TargetError:
        if watchdog.hang is None:
            if watchdog.killed:
                raise TargetError from None
            raise
    finally:
        over.set()
        os.close(woken)
        watcher.join()
        os.close(wake)
    if watchdog.hang is not None:
        raise HungError(f"{watchdog.hang.words}{_last_words(at.processes)}{_lost(at.serving)}")


def _kill(pids: set[int]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def gone(serving: Sequence[Standing]) -> list[Process]:
    """Those that have ended of each of `serving` that is not there any more: a service is as long as most of it is."""
    found = ([process for process in each if not process.running] for each in serving)
    return [
        process
        for each, ended in zip(serving, found, strict=True)
        if 2 * len(ended) >= len(each)
        for process in ended
    ]


def _of_one(serving: Sequence[Standing], process: Process) -> Standing:
    return next(each for each in serving if process in each)


def _lost(serving: Sequence[Standing]) -> str:
    """The members that have ended, for a failure that may come of it."""
    ended = [process for each in serving for process in each if not process.running]
    for process in ended:
        process.wait(0)
    return "".join(f"\nIt had ended before: {process.described()}" for process in ended)


def _last_words(targets: Sequence[Process]) -> str:
    said = [
        f"\nThe {target.name}'s last words{target.words()}" for target in targets if target.log.last_lines()
    ]
    return "".join(said)
