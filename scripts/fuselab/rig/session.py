"""One mount of the target, from start to stop, with something done in between."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from fuselab.rig.attended import attended, blamed
from fuselab.rig.family import Family
from fuselab.rig.mount import MountedTarget, mounted
from fuselab.rig.state import State
from fuselab.rig.story import Story, binary_path
from fuselab.system import kernel
from fuselab.system.errors import TargetError
from fuselab.system.log import Log
from fuselab.system.mountinfo import mount_of
from fuselab.system.process import Process, ended_words, step
from fuselab.targets.model import fill
from fuselab.workloads import REGISTRY
from fuselab.workloads.base import LoadContext

_SYNC_LIMIT_S = 60.0
_OWN_NETWORK = "; a run has a network of its own: `network: host` reaches servers elsewhere"
RAMPED = frozenset({"timed", "cost"})
"""Purposes whose load warms up before its figures count."""


@dataclass(frozen=True)
class Place:
    """Where the sessions of one run happen."""

    story: Story
    state: State
    out: Path
    env: Mapping[str, str]
    """Of every program, before its own variables."""
    values: Mapping[str, str]
    """Of the placeholders, but for `{mountpoint}`."""
    proc: int
    """Descriptor of the machine's /proc."""
    service: Process | None
    family: Family
    """The processes of the target."""

    @property
    def binary(self) -> Path:
        return binary_path(self.story.request) or Path()

    def filled_env(self, number: int = 1, mountpoint: Path | None = None) -> dict[str, str]:
        """The target's whole environment, for the mount `number` of the run (at `mountpoint`, if it is elsewhere)."""
        values = self._values_of(number)
        if mountpoint is not None:
            values["mountpoint"] = str(mountpoint)
        env = self.story.request.mount.command_line(number).env
        passed = self.story.request.mount.passed(os.environ)
        return {**self.env, **passed, **{name: fill(text, values) for name, text in env}}

    def filled(self, argv: Sequence[str], number: int = 1) -> list[str]:
        """`{binary}` was filled with a path relative to the repository: here it becomes absolute."""
        values = self._values_of(number)
        relative = self.story.request.mount.binary
        return [str(self.binary) if word == relative else fill(word, values) for word in argv]

    def _values_of(self, number: int) -> dict[str, str]:
        return {**self.values, "mountpoint": str(self.state.mountpoint(number)), "number": str(number)}


@dataclass(frozen=True)
class Session:
    """The target is mounted (or there is none to mount): what a load may know."""

    place: Place
    targets: tuple[MountedTarget, ...]
    context: LoadContext

    @property
    def serving(self) -> tuple[Process, ...]:
        """What the load stands on, the lowest first."""
        service = self.place.service
        return (*([service] if service else ()), *self.processes)

    @property
    def processes(self) -> tuple[Process, ...]:
        """Of the targets."""
        return tuple(target.process for target in self.targets)


@contextmanager
def session(place: Place, label: str = "") -> Iterator[Session]:
    """Mount every mount of the run; when the block ends well, drain, unmount and stop them, and note how it went.

    `label` tells the logs of several sessions apart. Raises TargetError if a target does not mount, or has to be
    forced to stop.
    """
    config = place.story.request.mount
    wanted = config.mounts if config.argv and REGISTRY[place.story.request.load.kind].needs_mount else 0
    with ExitStack() as stack:
        targets: list[MountedTarget] = []
        with place.story.phase("mount"):
            for number in range(1, wanted + 1):
                log = Log(place.out / _log_name(number, label), place.story.request.log_cap_bytes)
                stack.callback(_note, place.story, log)
                stack.enter_context(log)
                with place.family.starting():
                    targets.append(_mount(place, stack, number, log, targets))
        yield Session(place, tuple(targets), _context(place, targets))
        _stop(place.story, targets)


def _note(story: Story, log: Log) -> None:
    """What a target wrote until its log was closed, however its session ended."""
    story.log_bytes += log.written_bytes
    story.log_kept_bytes += log.kept_bytes
    if log.written_bytes > log.kept_bytes:
        story.mark(f"{log.path.name}: {log.kept_bytes} of {log.written_bytes} bytes were kept")


def _log_name(number: int, label: str) -> str:
    return "target" + (f"-{number}" if number > 1 else "") + (f".{label}" if label else "") + ".log"


def _mount(
    place: Place, stack: ExitStack, number: int, log: Log, before: Sequence[MountedTarget]
) -> MountedTarget:
    story, config = place.story, place.story.request.mount
    name = "target" if number == 1 else f"target-{number}"
    mountpoint = place.state.mountpoint(number)
    argv = place.filled(config.command_line(number).argv, number)
    env = place.filled_env(number)
    if number == 1:
        story.argv, story.env = tuple(argv), env
    started = time.monotonic()
    target = stack.enter_context(
        mounted(
            name,
            argv,
            env=env,
            plain_env=place.env,
            cwd=place.state.scratch,
            log=log,
            mountpoint=mountpoint,
            ready_timeout_s=config.ready_timeout_s,
            stop=config.stop,
            unanswered="" if config.network == "host" else _OWN_NETWORK,
            known=frozenset(pid for target in before for pid in (target.process.pid, target.server)),
        )
    )
    story.pids[name] = target.server
    place.family.add(target.process.pid, target.server)
    story.mount = story.mount or target.mount.record
    story.say(f"{name} mounted as {target.mount.record.fstype} after {time.monotonic() - started:.3f} s")
    return target


def _context(place: Place, targets: Sequence[MountedTarget]) -> LoadContext:
    story = place.story
    plain = (place.state.plain,) * story.request.mount.mounts  # the disk itself is the same by every way in
    directories = tuple(target.mountpoint for target in targets) or plain
    if not targets:
        # No program to give the variables to but the load itself: a bench takes its profilers' settings from them.
        story.mount = story.mount or mount_of(place.state.path).record
        story.env = place.filled_env(mountpoint=directories[0])
    return LoadContext(
        directory=directories[0],
        directories=directories,
        out=place.out,
        scratch=place.state.scratch,
        repository=Path(story.request.repository),
        binary=place.binary,
        env={} if targets else {k: v for k, v in story.env.items() if k not in place.env},
        ramp=story.request.purpose in RAMPED,
    )


def _stop(story: Story, targets: Sequence[MountedTarget]) -> None:
    """The last mounted first. Drains add up: a load is drained when all of its mounts are."""
    forced: list[str] = []
    for target in reversed(targets):
        stopped = target.stop()
        name = target.process.name
        story.add("drain", stopped.drain_s)
        story.add("stop", stopped.stop_s)
        story.say(f"{name} unmounted after {stopped.drain_s:.3f} s, ended after {stopped.stop_s:.3f} s more")
        if stopped.exit_code is not None:
            story.exit_codes[name] = stopped.exit_code
            if stopped.exit_code != 0 and not stopped.forced:
                story.mark(f"{name} {ended_words(stopped.exit_code)}")
        if stopped.forced:
            forced.append(f"{'; '.join(stopped.forced)}: {target.process.described()}")
    if forced:
        raise TargetError("the target did not stop by itself: " + "\n".join(forced))


def prepare(place: Place, at: Session) -> None:
    """The load's own preparation, inside the mount. Raises TargetError for a step that fails."""
    load = place.story.request.load
    for number, words in enumerate(load.prepare, 1):
        argv = [fill(word, at.context.values) for word in words]
        name = f"`prepare` step {number} of the load {load.workload}"
        log = place.out / f"prepare-{number}.log"
        blaming = blamed(at.serving, "preparation", at.processes)
        with place.story.phase("prepare"), blaming, attended(at):
            step(name, argv, env=place.env, cwd=at.context.directory, log=log, timeout_s=load.timeout_s)
        place.story.say(f"prepared: {' '.join(argv)}")


def make_cold(place: Place, prepared: bool) -> None:
    """Drop the kernel's caches, as far as this machine permits; write back first what preparing made dirty."""
    with place.story.phase("prepare"):
        if prepared:
            kernel.sync_filesystem(place.state.path, _SYNC_LIMIT_S)
        if refused := kernel.drop_caches():
            place.story.mark(f"the kernel's caches could not be dropped ({refused})")
