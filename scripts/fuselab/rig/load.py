"""The load of a session: prepared, and done with profilers looking and the machine sampled around a measurement."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

from fuselab.errors import CannotLookError, TargetError, WrongDataError
from fuselab.records.run import TargetUse
from fuselab.rig import environment
from fuselab.rig.draining import drain
from fuselab.rig.session import Place, Session, profilers_of
from fuselab.rig.watchdog import blamed, watched
from fuselab.system import kernel
from fuselab.system.process import on_cpus, step
from fuselab.targets.model import ProfilerSupport, fill
from fuselab.workloads.base import LoadContext, LoadResult

if TYPE_CHECKING:
    from fuselab.profilers.base import Profiler, Window

Doing = Callable[[LoadContext], LoadResult]


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
    drain(at, "prepare")


def make_cold(place: Place, prepared: bool) -> None:
    """Drop the kernel's caches, as far as this machine permits; write back first what preparing made dirty."""
    with place.recorder.phase("prepare"):
        if prepared:
            kernel.sync_filesystem(place.state.path, kernel.SYNC_LIMIT_S)
        if refused := kernel.drop_caches():
            place.recorder.mark(f"the kernel's caches could not be dropped ({refused})")


def do_load(at: Session, work: Doing) -> None:
    """Do `work` in the profilers' windows, between two samples of the machine, and wait until it has drained.

    Raises TargetError if the load fails, the target or the service dies under it, or it does not drain.
    """
    recorder = at.place.recorder
    with blamed(at.serving, "load", at.processes):
        result = _measured(at, work)
        recorder.exit_codes["load"] = result.exit_code
        if result.reason is not None:
            raise (WrongDataError if result.wrong_data else TargetError)(result.reason)
    recorder.say(f"load done after {recorder.seconds['load']:.3f} s")
    drain(at, "drain")


def _measured(at: Session, work: Doing) -> LoadResult:
    place, recorder, family = at.place, at.place.recorder, at.place.looked_at
    with ExitStack() as stack:
        windows = _attached(at, stack)
        if place.turns is not None:
            with recorder.phase("prepare"):
                place.turns.await_first()
        before = environment.sample(place.proc)
        _keep_modules(at, windows)
        for window in windows.values():
            window.open()
        family.look()
        used_s, observed_s = family.cpu_s(), _cpu_s(windows)
        started, recorder.load_started_unix_s = time.monotonic(), time.time()
        with watched(at) as watchdog, on_cpus(place.request.mount.cpus.load):
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
        # The CPU time of a load's own program is known of a group alone, and is no figure of a timed run.
        if at.lives_on or (windows and family.group):  # sizes of logs are known only once the logs are closed
            recorder.target = TargetUse(used_s, family.rss_peak_bytes(), log_bytes=0, log_kept_bytes=0)
        for window in reversed(windows.values()):
            window.close()
        _keep_modules(at, windows)
        after = environment.sample(place.proc)
    recorder.environment = environment.environment(before, after, place.state.path, recorder.gate)
    # Of those that take turns, each would count the others.
    recorder.noise = disturbed or (environment.noise(before, after) if place.turns is None else None)
    return result


def _attached(at: Session, stack: ExitStack) -> dict[str, Window]:
    """The windows of the run's profilers. Of those that share it, each that cannot look leaves it to the others.

    Raises CannotLookError where nobody can look: there is no use in the run then.
    """
    windows: dict[str, Window] = {}
    blind: dict[str, CannotLookError] = {}
    for profiler, support in profilers_of(at.place):
        try:
            windows[support.name] = _attach(at, profiler, support, stack)
        except CannotLookError as error:
            blind[support.name] = error
    at.place.recorder.cannot_look = {name: str(why) for name, why in blind.items()}
    if blind and not windows:
        raise next(iter(blind.values()))
    for name, why in blind.items():
        at.place.recorder.say(f"{name} cannot look: {why}")
    return windows


def _attach(at: Session, profiler: Profiler, support: ProfilerSupport, stack: ExitStack) -> Window:
    """Where the load is looked at, it looks at us until that is started, and so at what we start."""
    from fuselab.profilers.base import CaptureContext

    if obstacle := profiler.kernel_event and profiler.kernel_event.obstacle():
        raise CannotLookError(f"{support.name} is unavailable: {obstacle.reason}", obstacle.mend)
    place, group = at.place, at.place.looked_at.group
    context = CaptureContext(
        folder=place.out,
        pids=tuple(sorted(place.family.pids())) if at.lives_on else (os.getpid(),),
        group=group.name if group is not None else None,
        binary=place.binary,
        support=support,
        devices=tuple(target.mount.device for target in at.targets),
        proc=place.proc,
        outlives_load=at.lives_on,
    )
    return stack.enter_context(profiler.attach(context))


def _keep_modules(at: Session, windows: Mapping[str, Window]) -> None:
    """Of whom profilers look at, outside the window: what is opened in it and is still there is known behind it."""
    if windows:
        from fuselab.analysis.symbols.kept import keep_modules

        keep_modules(at.place.out, sorted(at.place.looked_at.pids()))


def _cpu_s(windows: Mapping[str, Window]) -> dict[str, float]:
    """Of each profiler that has processes of its own: the CPU time that they have used."""
    used = {name: window.cpu_s() for name, window in windows.items()}
    return {name: seconds for name, seconds in used.items() if seconds is not None}
