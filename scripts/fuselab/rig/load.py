"""The load of a session: with profilers looking and the machine sampled around it, where it is a measurement."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

from fuselab.records.run import TargetUse
from fuselab.rig import environment
from fuselab.rig.attended import attended, blamed
from fuselab.rig.session import Session
from fuselab.system.errors import TargetError, WrongDataError
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
            raise (WrongDataError if result.wrong_data else TargetError)(result.reason)
    story.say(f"load done after {story.seconds['load']:.3f} s")


def _measured(at: Session, work: Work) -> LoadResult:
    place, story, family = at.place, at.place.story, at.place.family
    with ExitStack() as stack:
        windows = {name: stack.enter_context(window) for name, window in _profilers(at)}
        before = environment.sample(place.proc)
        _keep_modules(at, windows)
        for window in windows.values():
            window.open()
        family.look()
        used_s, observed_s = family.cpu_s(), _cpu_s(windows)
        started, story.load_started_unix_s = time.monotonic(), time.time()
        # Without a target the load itself is looked at.
        with nullcontext() if at.targets else family.starting(), attended(at) as attention:
            result = work(at.context)
        if attention.killed and result.reason is not None:
            result = LoadResult(result.exit_code, "")
        if (disturbed := attention.disturbance.words) and result.reason:
            result = replace(result, reason=f"{result.reason}\nWhile it ran, {disturbed}")
        ended = time.monotonic()
        story.load_window_s = (started, ended)
        story.add("load", ended - started)
        used_s = family.cpu_s() - used_s
        story.observers_s = {name: now_s - observed_s[name] for name, now_s in _cpu_s(windows).items()}
        family.look()
        story.family = tuple(sorted(family.seen))
        if at.targets:  # sizes of logs are known only once the logs are closed
            story.target = TargetUse(used_s, family.rss_peak_bytes(), log_bytes=0, log_kept_bytes=0)
        for window in reversed(windows.values()):
            window.close()
        _keep_modules(at, windows)
        after = environment.sample(place.proc)
    story.environment = environment.environment(before, after, place.state.path, story.gate)
    story.noise = disturbed or environment.noise(before, after)
    return result


def _profilers(at: Session) -> Iterator[tuple[str, AbstractContextManager[Window]]]:
    """What attaches each profiler of the run. Without a target it looks at us, and so at the load we start."""
    place = at.place
    if not place.story.request.mount.profilers:
        return
    from fuselab.profilers import REGISTRY
    from fuselab.profilers.base import CaptureContext

    pids = tuple(sorted(place.family.pids())) if at.targets else (os.getpid(),)
    group = place.family.group.name if place.family.group is not None else None
    for support in place.story.request.mount.profilers:
        context = CaptureContext(place.out, pids, group, place.binary, support)
        yield support.name, REGISTRY[support.name].attach(context)


def _keep_modules(at: Session, windows: Mapping[str, Window]) -> None:
    """Of whom profilers look at, outside the window: what is opened in it and is still there is known behind it."""
    if windows:
        from fuselab.analysis.perf.modules import keep_modules

        keep_modules(at.place.out, sorted(at.place.family.pids()))


def _cpu_s(windows: Mapping[str, Window]) -> dict[str, float]:
    """Of each profiler that has processes of its own: the CPU time that they have used."""
    used = {name: window.cpu_s() for name, window in windows.items()}
    return {name: seconds for name, seconds in used.items() if seconds is not None}
