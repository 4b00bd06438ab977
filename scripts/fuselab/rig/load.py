"""The load of a session: prepared, and done with profilers looking and the machine sampled around a measurement."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

from fuselab.errors import TargetError, WrongDataError
from fuselab.records.run import TargetUse
from fuselab.rig import environment
from fuselab.rig.session import Place, Session
from fuselab.rig.watchdog import blamed, watched
from fuselab.system import kernel
from fuselab.system.process import step
from fuselab.targets.model import ProfilerSupport, fill
from fuselab.workloads.base import LoadContext, LoadResult

if TYPE_CHECKING:
    from fuselab.profilers.base import Profiler, Window

Work = Callable[[LoadContext], LoadResult]


def prepare(place: Place, at: Session) -> None:
    """The load's own preparation, inside the mount. Raises TargetError for a step that fails."""
    load = place.request.load
    for number, words in enumerate(load.prepare, 1):
        argv = [fill(word, at.context.values) for word in words]
        name = f"`prepare` step {number} of the load {load.workload}"
        log = place.out / f"prepare-{number}.log"
        blaming = blamed(at.serving, "preparation", at.processes)
        with place.recorder.phase("prepare"), blaming, watched(at):
            step(name, argv, env=place.env, cwd=at.context.directory, log=log, timeout_s=load.timeout_s)
        place.recorder.say(f"prepared: {' '.join(argv)}")


def make_cold(place: Place, prepared: bool) -> None:
    """Drop the kernel's caches, as far as this machine permits; write back first what preparing made dirty."""
    with place.recorder.phase("prepare"):
        if prepared:
            kernel.sync_filesystem(place.state.path, kernel.SYNC_LIMIT_S)
        if refused := kernel.drop_caches():
            place.recorder.mark(f"the kernel's caches could not be dropped ({refused})")


def do_load(at: Session, work: Work) -> None:
    """Do `work` in the profilers' windows, between two samples of the machine.

    Raises TargetError if the load fails, or the target or the service dies under it.
    """
    recorder = at.place.recorder
    with blamed(at.serving, "load", at.processes):
        result = _measured(at, work)
        recorder.exit_codes["load"] = result.exit_code
        if result.reason is not None:
            raise (WrongDataError if result.wrong_data else TargetError)(result.reason)
    recorder.say(f"load done after {recorder.seconds['load']:.3f} s")


def _measured(at: Session, work: Work) -> LoadResult:
    place, recorder, family = at.place, at.place.recorder, at.place.family
    with ExitStack() as stack:
        windows = {name: stack.enter_context(window) for name, window in _attaching(at)}
        before = environment.sample(place.proc)
        _keep_modules(at, windows)
        for window in windows.values():
            window.open()
        family.look()
        used_s, observed_s = family.cpu_s(), _cpu_s(windows)
        started, recorder.load_started_unix_s = time.monotonic(), time.time()
        # Without a target the load itself is looked at.
        with nullcontext() if at.targets else family.starting(), watched(at) as watchdog:
            result = work(at.context)
        if watchdog.killed and result.reason is not None:
            result = LoadResult(result.exit_code, "")
        if (disturbed := watchdog.disturbance.words) and result.reason:
            result = replace(result, reason=f"{result.reason}\nWhile it ran, {disturbed}")
        ended = time.monotonic()
        recorder.load_window_s = (started, ended)
        recorder.add("load", ended - started)
        used_s = family.cpu_s() - used_s
        recorder.observers_s = {name: now_s - observed_s[name] for name, now_s in _cpu_s(windows).items()}
        family.look()
        recorder.family = tuple(sorted(family.seen))
        if at.targets:  # sizes of logs are known only once the logs are closed
            recorder.target = TargetUse(used_s, family.rss_peak_bytes(), log_bytes=0, log_kept_bytes=0)
        for window in reversed(windows.values()):
            window.close()
        _keep_modules(at, windows)
        after = environment.sample(place.proc)
    recorder.environment = environment.environment(before, after, place.state.path, recorder.gate)
    recorder.noise = disturbed or environment.noise(before, after)
    return result


def profilers_of(place: Place) -> Iterator[tuple[Profiler, ProfilerSupport]]:
    """The profilers that look at the run, and what its target offers each."""
    if place.request.mount.profilers:
        from fuselab.profilers import REGISTRY

        yield from ((REGISTRY[support.name], support) for support in place.request.mount.profilers)


def _attaching(at: Session) -> Iterator[tuple[str, AbstractContextManager[Window]]]:
    """What attaches each profiler of the run. Without a target it looks at us, and so at the load we start."""
    place = at.place
    pids = tuple(sorted(place.family.pids())) if at.targets else (os.getpid(),)
    group = place.family.group.name if place.family.group is not None else None
    devices = tuple(target.mount.device for target in at.targets)
    for profiler, support in profilers_of(place):
        from fuselab.profilers.base import CaptureContext

        context = CaptureContext(place.out, pids, group, place.binary, support, devices)
        yield support.name, profiler.attach(context)


def _keep_modules(at: Session, windows: Mapping[str, Window]) -> None:
    """Of whom profilers look at, outside the window: what is opened in it and is still there is known behind it."""
    if windows:
        from fuselab.analysis.symbols.kept import keep_modules

        keep_modules(at.place.out, sorted(at.place.family.pids()))


def _cpu_s(windows: Mapping[str, Window]) -> dict[str, float]:
    """Of each profiler that has processes of its own: the CPU time that they have used."""
    used = {name: window.cpu_s() for name, window in windows.items()}
    return {name: seconds for name, seconds in used.items() if seconds is not None}
