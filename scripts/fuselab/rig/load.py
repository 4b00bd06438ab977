"""The load of a session: with profilers looking and the machine sampled around it, where it is a measurement."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from typing import TYPE_CHECKING

from fuselab.rig import environment, procfs
from fuselab.rig.attended import attended, blamed
from fuselab.rig.errors import TargetError
from fuselab.rig.mount import MountedTarget
from fuselab.rig.record import TargetUse
from fuselab.rig.session import Session
from fuselab.workloads.base import LoadContext, LoadResult

if TYPE_CHECKING:
    from fuselab.profilers.base import Window

Work = Callable[[LoadContext], LoadResult]


def do_load(at: Session, work: Work) -> None:
    """Do `work` in the profilers' windows, between two samples of the machine.

    Raises TargetError if the load fails, or the target or the service dies under it.
    """
    story = at.place.story
    with blamed(at.serving, "load", at.processes):
        result = _measured(at, work)
        story.exit_codes["load"] = result.exit_code
        if result.reason is not None:
            raise TargetError(result.reason)
    story.say(f"load done after {story.seconds['load']:.3f} s")


def _measured(at: Session, work: Work) -> LoadResult:
    place, story = at.place, at.place.story
    with ExitStack() as stack:
        windows = [stack.enter_context(window) for window in _profilers(at)]
        before = environment.sample(place.proc)
        for window in windows:
            window.open()
        used_s = _cpu_s(at.targets)
        started, story.load_started_unix_s = time.monotonic(), time.time()
        with attended(at.serving) as killed:
            result = work(at.context)
        if killed.is_set() and result.reason is not None:
            result = LoadResult(result.exit_code, "")
        ended = time.monotonic()
        story.load_window_s = (started, ended)
        story.add("load", ended - started)
        with suppress(OSError):  # a target that died is found out below
            story.target = _use(at.targets, _cpu_s(at.targets) - used_s)
        for window in reversed(windows):
            window.close()
        after = environment.sample(place.proc)
    story.environment = environment.environment(before, after, place.state.path, story.gate)
    story.noise = environment.noise(before, after)
    return result


def _profilers(at: Session) -> Iterator[AbstractContextManager[Window]]:
    """What attaches each profiler of the run. Without a target it looks at us, and so at the load we start."""
    story = at.place.story
    if not story.request.mount.profilers:
        return
    from fuselab.profilers import REGISTRY
    from fuselab.profilers.base import CaptureContext

    pid = at.targets[0].server if at.targets else os.getpid()
    for support in story.request.mount.profilers:
        yield REGISTRY[support.name].attach(CaptureContext(at.place.out, pid, at.place.binary, support))


def _cpu_s(targets: Sequence[MountedTarget]) -> float:
    """CPU time of the targets and their children. Raises OSError if one is gone."""
    proc = procfs.open_proc()
    try:
        table = procfs.processes(proc)
        pids = set().union(*(procfs.descendants(table, target.process.pid) for target in targets))
        return sum(procfs.cpu_clock_s(pid) + table[pid].children_s for pid in pids & table.keys())
    finally:
        os.close(proc)


def _use(targets: Sequence[MountedTarget], cpu_s: float) -> TargetUse | None:
    """RSS peaks of several targets and their children add up; log sizes are known only once the logs are closed."""
    if not targets:
        return None
    family = set().union(*(procfs.family(target.process.pid) for target in targets))
    peaks = [procfs.rss_peak_bytes(pid) for pid in sorted(family)]
    known = [peak for peak in peaks if peak is not None]
    return TargetUse(cpu_s, sum(known) if known else None, log_bytes=0, log_kept_bytes=0)
