"""One mount of the target, from start to stop, with something done in between."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from fuselab.errors import TargetError
from fuselab.records.request import COMPARED, RunRequest
from fuselab.records.run import COMMAND
from fuselab.rig.family import Family
from fuselab.rig.mount import MountedTarget, mounted
from fuselab.rig.recorder import Recorder, binary_path
from fuselab.rig.state import State
from fuselab.system.cgroup import Group
from fuselab.system.log import Log
from fuselab.system.mountinfo import mount_of
from fuselab.system.process import Process, ended_words, on_cpus, running
from fuselab.targets.model import ProfilerSupport, fill
from fuselab.workloads import REGISTRY, looked_at
from fuselab.workloads.base import LoadContext

if TYPE_CHECKING:
    from fuselab.profilers.base import Profiler

_LOOK_S = 0.25
"""How often it is asked whose turn it is."""


Standing = tuple[Process, ...]
"""What a load stands on: one process, or the members of one service."""


@dataclass(frozen=True)
class Place:
    """Where the sessions of one run happen."""

    recorder: Recorder
    state: State
    out: Path
    env: Mapping[str, str]
    """Of every program, before its own variables."""
    values: Mapping[str, str]
    """Of the placeholders, but for `{mountpoint}`."""
    proc: int
    """Descriptor of the machine's /proc."""
    family: Family
    """The processes of the target."""
    serving: Mapping[str, Standing] = field(default_factory=dict)
    """The servers of the run's services, by what each is to the backend, in the order in which they were started."""
    served: Mapping[str, Family] = field(default_factory=dict)
    """All processes of each."""
    relays: tuple[Process, ...] = ()
    """What stands between services that are some way off and the target."""
    command: Family | None = None
    """Those of the load, where profilers look at them and not at the target."""
    turns: Turns | None = None
    """Of a load that takes turns."""

    @property
    def request(self) -> RunRequest:
        return self.recorder.request

    @property
    def looked_at(self) -> Family:
        """The processes that profilers look at."""
        return self.command or self.family

    @property
    def binary(self) -> Path:
        return binary_path(self.request) or Path()

    def filled_env(self, number: int = 1, mountpoint: Path | None = None) -> dict[str, str]:
        """The target's whole environment, for the mount `number` of the run (at `mountpoint`, if it is elsewhere)."""
        values = self._values_of(number)
        if mountpoint is not None:
            values["mountpoint"] = str(mountpoint)
        env = self.request.mount.command_line(number).env
        passed = self.request.mount.passed(os.environ)
        return {**self.env, **passed, **{name: fill(text, values) for name, text in env}}

    def profilers_env(self) -> dict[str, str]:
        """What the run's profilers add to the environment of whom they look at."""
        supports = self.request.mount.profilers
        return {name: fill(text, self._values_of(1)) for support in supports for name, text in support.env}

    def filled(self, argv: Sequence[str], number: int = 1) -> list[str]:
        """`{binary}` was filled with a path relative to the repository: here it becomes absolute."""
        values = self._values_of(number)
        relative = self.request.mount.binary
        return [str(self.binary) if word == relative else fill(word, values) for word in argv]

    def _values_of(self, number: int) -> dict[str, str]:
        return {**self.values, "mountpoint": str(self.state.mountpoint(number)), "number": str(number)}


def profilers_of(place: Place) -> Iterator[tuple[Profiler, ProfilerSupport]]:
    """The profilers that look at the run, and what its target offers each."""
    if place.request.mount.profilers:
        from fuselab.profilers import REGISTRY

        yield from ((REGISTRY[support.name], support) for support in place.request.mount.profilers)


@dataclass(frozen=True)
class LookedAtLoad:
    """A load that takes the target's place before the profilers: what it starts is whom they look at."""

    place: Place

    def starting(self) -> AbstractContextManager[None]:
        return self.place.looked_at.starting()

    def add(self, *pids: int) -> None:
        self.place.looked_at.add(*pids)
        if self.place.command is None:
            self.place.family.seen.update(pids)
            self.place.recorder.pids.setdefault("target", pids[0])
        else:  # its children come and go between any two looks: a list of some would leave the others out
            self.place.recorder.pids[COMMAND] = pids[0]


@dataclass(frozen=True)
class Turns:
    """A load that is stopped and continued from outside, as a member of a control group."""

    group: Group

    def await_first(self) -> None:
        """Sleep until the first turn: whoever joins a frozen group stops, and is seen there."""
        with self.starting():
            pass

    @contextmanager
    def starting(self) -> Iterator[None]:
        with self.group.joined():
            yield

    def add(self, *pids: int) -> None:
        """The group knows its members."""

    def wait(self, process: Process, timeout_s: float) -> bool:
        """Whether it has ended within `timeout_s` of its own turns, looked at now and then. One that hangs cannot be
        stopped, and so is never seen to wait for its turn."""
        while not process.wait(min(_LOOK_S, timeout_s)):
            if not self.group.frozen:
                timeout_s -= _LOOK_S
            if timeout_s <= 0:
                return False
        return True


@dataclass(frozen=True)
class Session:
    """The target is mounted (or there is none to mount): what a load may know."""

    place: Place
    targets: tuple[MountedTarget, ...]
    context: LoadContext

    @property
    def serving(self) -> tuple[Standing, ...]:
        """What the load stands on, the lowest first."""
        alone = (*self.place.relays, *self.processes)
        return (*self.place.serving.values(), *((process,) for process in alone))

    @property
    def processes(self) -> tuple[Process, ...]:
        """Of the targets."""
        return tuple(target.process for target in self.targets)

    @property
    def lives_on(self) -> bool:
        """Whether whom profilers look at is there before the load and behind it: a target is, no load."""
        return bool(self.targets) and self.place.command is None


@contextmanager
def session(place: Place, label: str = "") -> Iterator[Session]:
    """Mount every mount of the run; when the block ends well, drain, unmount and stop them, and note how it went.

    `label` tells the logs of several sessions apart. Raises TargetError if a target does not mount, or has to be
    forced to stop.
    """
    config = place.request.mount
    wanted = config.mounts if config.argv and REGISTRY[place.request.load.kind].needs_mount else 0
    with ExitStack() as stack:
        targets: list[MountedTarget] = []
        with place.recorder.phase("mount"):
            for number in range(1, wanted + 1):
                log = Log(place.out / _log_name(number, label), place.request.log_cap_bytes)
                stack.callback(_note, place.recorder, log)
                stack.enter_context(log)
                with place.family.starting():
                    targets.append(_mount(place, stack, number, log, targets))
        yield Session(place, tuple(targets), _context(place, targets))
        _stop(place.recorder, targets)


def _note(recorder: Recorder, log: Log) -> None:
    """What a target wrote until its log was closed, however its session ended."""
    recorder.log_bytes += log.written_bytes
    recorder.log_kept_bytes += log.kept_bytes
    if log.written_bytes > log.kept_bytes:
        recorder.mark(f"{log.path.name}: {log.kept_bytes} of {log.written_bytes} bytes were kept")


def _log_name(number: int, label: str) -> str:
    return "target" + (f"-{number}" if number > 1 else "") + (f".{label}" if label else "") + ".log"


def _mount(
    place: Place, stack: ExitStack, number: int, log: Log, before: Sequence[MountedTarget]
) -> MountedTarget:
    recorder, config = place.recorder, place.request.mount
    name = "target" if number == 1 else f"target-{number}"
    mountpoint = place.state.mountpoint(number)
    argv = place.filled(config.command_line(number).argv, number)
    env = place.filled_env(number)
    if number == 1:
        recorder.argv, recorder.env = tuple(argv), env
    started = time.monotonic()
    mountpoint.mkdir(exist_ok=True)
    with on_cpus(config.cpus.target):
        process = stack.enter_context(running(name, argv, env=env, cwd=place.state.scratch, log=log))
    known = {pid for target in before for pid in (target.process.pid, target.server)}
    target = stack.enter_context(mounted(process, mountpoint, config, place.env, known))
    recorder.pids[name] = target.server
    place.family.add(target.process.pid, target.server)
    recorder.mount = recorder.mount or target.mount.record
    recorder.say(f"{name} mounted as {target.mount.record.fstype} after {time.monotonic() - started:.3f} s")
    return target


def _context(place: Place, targets: Sequence[MountedTarget]) -> LoadContext:
    recorder, load = place.recorder, place.recorder.request.load
    directories = tuple(target.mountpoint for target in targets)
    if not directories:  # the disk itself is the same by every way in
        directories = (place.state.plain,) * recorder.request.mount.mounts
    if not targets:
        # No program to give the variables to but the load itself: a bench takes its profilers' settings from them.
        recorder.mount = recorder.mount or mount_of(place.state.path).record
        recorder.env = place.filled_env(mountpoint=directories[0])
    env = {} if targets else {k: v for k, v in recorder.env.items() if k not in place.env}
    return LoadContext(
        directory=directories[0],
        directories=directories,
        out=place.out,
        scratch=place.state.scratch,
        repository=Path(recorder.request.repository),
        binary=place.binary,
        env=env if place.command is None else {**env, **place.profilers_env()},
        ramp=recorder.request.purpose in COMPARED,
        looked_at=place.turns or (None if looked_at(load) == "mount" else LookedAtLoad(place)),
        turns=place.turns,
        argv=tuple(word for profiler, _ in profilers_of(place) for word in profiler.bench_argv),
    )


def _stop(recorder: Recorder, targets: Sequence[MountedTarget]) -> None:
    """The last mounted first. Drains add up: a load is drained when all of its mounts are."""
    forced: list[str] = []
    for target in reversed(targets):
        stopped = target.stop()
        name = target.process.name
        # With a sign of its own it has drained before, and its unmount is part of its end.
        recorder.add("stop" if recorder.request.mount.drain else "drain", stopped.drain_s)
        recorder.add("stop", stopped.stop_s)
        recorder.say(
            f"{name} unmounted after {stopped.drain_s:.3f} s, ended after {stopped.stop_s:.3f} s more"
        )
        if stopped.exit_code is not None:
            recorder.exit_codes[name] = stopped.exit_code
            if stopped.exit_code != 0 and not stopped.forced:
                recorder.mark(f"{name} {ended_words(stopped.exit_code)}")
        if stopped.forced:
            forced.append(f"{'; '.join(stopped.forced)}: {target.process.described()}")
    if forced:
        raise TargetError("the target did not stop by itself: " + "\n".join(forced))
