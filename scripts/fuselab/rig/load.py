"""The load of a session: prepared, and done with profilers looking and the machine sampled around a measurement."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
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
from fuselab.workloads import REGISTRY
from fuselab.workloads.base import LoadContext, LoadResult

if TYPE_CHECKING:
    from fuselab.profilers.base import Profiler, Window
    from fuselab.records.request import Load

Doing = Callable[[LoadContext], LoadResult]
"""It calls `begin` of its context when its work begins, as `WorkloadKind.work` does."""


def prepares(load: Load) -> bool:
    """Whether a load finds something in the mount that was made for it."""
    return bool(load.prepare) or REGISTRY[load.kind].lays_out(load.settings)


def prepare(place: Place, at: Session) -> None:
    """The load's own preparation, inside the mount: its steps, and the files that its kind lays out.

    Raises TargetError for what fails.
    """
    load = place.request.load
    for number, words in enumerate(load.prepare, 1):
        argv = [fill(word, at.context.values) for word in words]
        name = f"`prepare` step {number} of the load {load.workload}"
        log = place.out / f"prepare-{number}.log"
        with _preparing(at):
            step(name, argv, env=place.env, cwd=at.context.directory, log=log, timeout_s=load.timeout_s)
        place.recorder.say(f"prepared: {' '.join(argv)}")
    kind = REGISTRY[load.kind]
    if kind.lays_out(load.settings):
        with _preparing(at):
            # Nobody looks at it, and it takes no turns.
            result = kind.lay_out(load, replace(at.context, looked_at=None, turns=None))
            if result.reason is not None:
                raise TargetError(
                    f"the files of the load {load.workload} could not be laid out: {result.reason}"
                )
        place.recorder.say(f"laid out the files that {load.workload} reads")
    drain(at, "prepare")


@contextmanager
def _preparing(at: Session) -> Iterator[None]:
    with at.place.recorder.phase("prepare"), blamed(at.serving, "preparation", at.processes), watched(at):
        yield


def make_cold(place: Place, prepared: bool) -> None:
    """Drop the kernel's caches, as far as this machine permits; write back first what preparing made dirty."""
    with place.recorder.phase("prepare"):
        if prepared:
            kernel.sync_filesystem(place.state.path, kernel.SYNC_LIMIT_S)
        if refused := kernel.drop_caches():
            place.recorder.mark(f"the kernel's caches could not be dropped ({refused})")


def do_load(at: Session, work: Doing, begin: Callable[[], None] = lambda: None) -> None:
    """Do `work` in the profilers' windows, between two samples of the machine, and wait until it has drained.

    The windows open as the work begins, after `begin`. Raises TargetError if the load fails, the target or the service
    dies under it, or it does not drain.
    """
    recorder = at.place.recorder
    with blamed(at.serving, "load", at.processes):
        result = _measured(at, work, begin)
        recorder.exit_codes["load"] = result.exit_code
        if result.reason is not None:
            raise (WrongDataError if result.wrong_data else TargetError)(result.reason)
    recorder.say(f"load done after {recorder.seconds['load']:.3f} s")
    drain(at, "drain")


def _measured(at: Session, work: Doing, begin: Callable[[], None]) -> LoadResult:
    place = at.place
    with ExitStack() as stack:
        windows = _attached(at, stack)
        if place.turns is not None:
            with place.recorder.phase("prepare"):
                place.turns.await_first()
        measured = _Measured(at, windows, begin)
        with watched(at) as watchdog, on_cpus(place.request.mount.cpus.load):
            result = work(replace(at.context, begin=measured.begin))
        disturbed = watchdog.disturbance.words
        measured.end(disturbed)
        if watchdog.killed and result.reason is not None:
            result = LoadResult(result.exit_code, "")
        if disturbed and result.reason:
            result = replace(result, reason=f"{result.reason}\nWhile it ran, {disturbed}")
    if result.reason is None and not measured.began:
        return replace(result, reason="it ended without an error, and before it had begun to do anything")
    return result


class _Measured:
    """What is looked at and sampled from the moment at which a load's work begins until it has ended."""

    def __init__(self, at: Session, windows: Mapping[str, Window], first: Callable[[], None]) -> None:
        self.began = False
        self._at, self._windows, self._first = at, windows, first
        self._recorder, self._family = at.place.recorder, at.place.looked_at
        self._since_s, self._used_s = time.monotonic(), self._family.cpu_s()

    def begin(self) -> None:
        """Look from now on."""
        self._first()
        self._before = environment.sample(self._at.place.proc)
        _keep_modules(self._at, self._windows)
        for window in self._windows.values():
            window.open()
        self._family.look()
        self._used_s, self._observed_s = self._family.cpu_s(), _cpu_s(self._windows)
        self._now("prepare")
        self._recorder.load_started_unix_s = time.time()
        self.began = True

    def end(self, disturbed: str | None) -> None:
        """The load has ended; it was `disturbed` by something. Of one that never began there is no window."""
        at, recorder, family = self._at, self._recorder, self._family
        window_s = self._now("load" if self.began else "prepare")
        used_s = family.cpu_s() - self._used_s
        observed_s = _cpu_s(self._windows)
        family.look()
        recorder.family = tuple(sorted(family.seen))
        # The CPU time of a load's own program is known of a group alone, and is no figure of a timed run.
        if at.lives_on or (self._windows and family.group):  # sizes of logs: once the logs are closed
            recorder.target = TargetUse(used_s, family.rss_peak_bytes(), log_bytes=0, log_kept_bytes=0)
        if not self.began:
            return
        recorder.load_window_s = window_s
        recorder.observers_s = {name: now_s - self._observed_s[name] for name, now_s in observed_s.items()}
        for window in reversed(tuple(self._windows.values())):
            window.close()
        _keep_modules(at, self._windows)
        after = environment.sample(at.place.proc)
        recorder.environment = environment.environment(
            self._before, after, at.place.state.path, recorder.gate
        )
        # Of those that take turns, each would count the others.
        noise = environment.noise(self._before, after) if at.place.turns is None else None
        recorder.noise = disturbed or noise

    def _now(self, phase: str) -> tuple[float, float]:
        """The phase ends: from when to when it was."""
        since_s, self._since_s = self._since_s, time.monotonic()
        self._recorder.add(phase, self._since_s - since_s)
        return since_s, self._since_s


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
