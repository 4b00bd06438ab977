"""A target, from starting it to its own exit: mounted, drained, unmounted, stopped, each step with an end."""

from __future__ import annotations

import errno
import os
import re
import select
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from fuselab.errors import TargetError
from fuselab.records.request import MountConfig
from fuselab.system import kernel, mountinfo, procfs
from fuselab.system.log import Log
from fuselab.system.process import Process, pause_s, running, signal_of
from fuselab.targets.model import Stopping

_OWN_NETWORK = "; a run has a network of its own: `network: host` reaches servers elsewhere"
_LOOK_S = 0.1
_STAT_TIMEOUT_S = 5.0
_OWN_EXIT_S = 5.0
"""How long an unmounted target may take to end by itself before it is sent its signal."""
_HUNG_S = 2.0
"""For each step of stopping a target that hangs: what its profilers have of it, it writes at once or never."""
_STEP_S = 5.0
"""Of each harder step of unmounting."""
_LATE_S = 1.0
"""How long after the end of a program that left nothing running its mount may still come."""
_PARTING_S = 1.0
"""How long a program that put its server in the background may take to end, once the mount answers."""


@dataclass(frozen=True)
class Stopped:
    """How a target ended. `exit_code` is None for one that had put itself in the background."""

    drain_s: float
    """From the call until the mount was gone."""
    stop_s: float
    """From there until the target's own exit."""
    exit_code: int | None
    forced: tuple[str, ...]
    """Harder steps that it took, in words; empty is as it should be."""


class MountedTarget:
    """A target that is mounted and answers."""

    def __init__(
        self,
        process: Process,
        server: int,
        mountpoint: Path,
        mount: mountinfo.Mount,
        stop: Stopping,
        env: Mapping[str, str],
    ):
        self.process = process
        self.server = server
        """Pid of the process that answers: `process`, or what a wrapper around it has started."""
        self.mountpoint = mountpoint
        self.mount = mount
        self._stop = stop
        self._env = env  # not the target's own: what its profilers preload is not for umount
        self._stopped: Stopped | None = None

    def write_back(self) -> bool:
        """Hand it all that the kernel still holds for it; False if it does not take that in time."""
        return self._command(("sync", "-f", str(self.mountpoint)), self._stop.timeout_s) is not None

    def hurry(self) -> None:
        """It hangs: do not wait long for anything that it should do by itself."""
        self._stop = replace(self._stop, timeout_s=min(self._stop.timeout_s, _HUNG_S))

    def stop(self) -> Stopped:
        """Drain, unmount, and wait for the target's exit, in the order that the target asks for. Never raises."""
        if self._stopped is None:
            self._stopped = self._take_down()
        return self._stopped

    def _take_down(self) -> Stopped:
        started = time.monotonic()
        forced: list[str] = []
        limit = self._stop.timeout_s
        number = signal_of(self._stop.signal)
        if not self.write_back():
            forced.append(f"it did not write back its data within {limit:g} s")
            self._break(forced)
        if self._stop.first == "signal":
            self.process.signal(number)
            self._wait_unmounted(limit)
        self._unmount(limit, forced)
        drained = time.monotonic()
        if self._stop.first == "unmount" and not self.process.wait(min(_OWN_EXIT_S, limit)):
            self.process.signal(number)
        if not self.process.wait(limit):
            forced.append(f"it did not end within {limit:g} s of {number.name} and was killed")
            self.process.kill()
        return Stopped(drained - started, time.monotonic() - drained, self.process.exit_code, tuple(forced))

    def _unmount(self, limit_s: float, forced: list[str]) -> None:
        """umount, as often as it is busy; then the harder steps."""
        started = time.monotonic()
        deadline = started + limit_s
        said: str | None = ""
        while self._mounted() and time.monotonic() < deadline:
            said = self._command(("umount", "-i", str(self.mountpoint)), deadline - time.monotonic())
            if said is None or not self._mounted():
                break
            time.sleep(pause_s(started, deadline))
        if self._mounted():
            forced.append(
                f"it could not be unmounted within {limit_s:g} s" + (f": {said.strip()}" if said else "")
            )
            self._break(forced)

    def _break(self, forced: list[str]) -> None:
        """Free everything that waits on the mount, and take it out of the tree."""
        self._command(("umount", "-i", "-l", str(self.mountpoint)), _STEP_S)
        if kernel.abort_connection(self.mount.device):
            forced.append("its FUSE connection was aborted")
        elif self.process.running:
            forced.append("it was killed")
            self.process.kill()

    def _wait_unmounted(self, limit_s: float) -> None:
        started = time.monotonic()
        with _Watch(self.process) as watch:
            while self._mounted() and self.process.running and time.monotonic() - started < limit_s:
                watch.sleep(_LOOK_S)

    def _mounted(self) -> bool:
        found = mountinfo.mounted_at(self.mountpoint)
        return found is not None and found.device == self.mount.device

    def _command(self, argv: Sequence[str], limit_s: float) -> str | None:
        """Run a short command that a hung mount may hold; its stderr, or None if it had to be left behind."""
        log = Log(self.process.log.path.with_name("unmount.log"), cap_bytes=64 << 10)
        with log, running(argv[0], argv, env=self._env, cwd=Path("/"), log=log) as process:
            if not process.wait(limit_s):
                return None
            log.close()
            said = log.last_lines()
        if not said:
            log.path.unlink(missing_ok=True)
        return said


@contextmanager
def mounted(
    started: Process, mountpoint: Path, config: MountConfig, env: Mapping[str, str], known: Collection[int]
) -> Iterator[MountedTarget]:
    """Wait until `mountpoint` is the target's that was `started`; take it down at the end.

    `env` is for the commands that take it down. `known` are the pids of targets mounted before, for telling apart those
    that go into the background. Raises TargetError, with its last words, if it ends or is not ready in time.
    """
    with ExitStack() as stack:
        unanswered = "" if config.network == "host" else _OWN_NETWORK
        mount = _wait_mounted(started, mountpoint, config.ready_timeout_s, unanswered)
        process, server = started, started.pid
        holding = holders(mount.device)
        if others := [pid for pid in holding if pid != started.pid and pid not in known]:
            # Workers that were forked from the server hold its /dev/fuse too.
            server = started.pid if started.pid in holding else others[0]
            if started.wait(_PARTING_S):
                server = others[0]
                process = _adopt(started, server)
                stack.callback(process.close)
        elif not started.running:
            raise TargetError(
                "the target went into the background, and no process holds its /dev/fuse: give it its foreground "
                f"option: {started.described()}"
            )
        target = MountedTarget(process, server, mountpoint, mount, config.stop, env)
        stack.callback(target.stop)
        yield target


def _wait_mounted(process: Process, mountpoint: Path, timeout_s: float, unanswered: str) -> mountinfo.Mount:
    """Sleep on mountinfo until the mount is there, then look at its root once: st_dev has changed and it answers."""
    deadline = time.monotonic() + timeout_s
    outside = mountpoint.parent.stat().st_dev
    ended_s: float | None = None
    with _Watch(process) as watch:
        while (mount := mountinfo.mounted_at(mountpoint)) is None:
            if not process.running and process.wait(0):
                if process.exit_code != 0:
                    raise TargetError(f"the target ended before it was mounted: {process.described()}")
                ended_s = ended_s or time.monotonic()
                if time.monotonic() > min(ended_s + _LATE_S, deadline) and not _orphans():
                    raise TargetError(
                        "the target ended (exit code 0) without mounting, and nothing of it is still running: "
                        f"{process.described()}"
                    )
            if time.monotonic() > deadline:
                raise TargetError(f"the target was not mounted within {timeout_s:g} s: {process.described()}")
            watch.sleep(_LOOK_S)
    try:
        device = kernel.within(max(_STAT_TIMEOUT_S, deadline - time.monotonic()), mountpoint.stat).st_dev
    except (OSError, TimeoutError) as error:
        kernel.abort_connection(mount.device)
        raise TargetError(
            f"the target is mounted but does not answer ({error}){_hint(error, unanswered)}: {process.described()}"
        ) from error
    if device == outside:
        raise TargetError(f"the target was unmounted again at once: {process.described()}")
    return mount


def _hint(error: OSError | TimeoutError, unreached: str) -> str:
    """What may be behind an answer that is an error: a server out of reach, or nothing to show."""
    if isinstance(error, TimeoutError) or error.errno in _UNREACHED:
        return unreached
    missing = "; its root is not there: does the folder or the image exist that it shows?"
    return missing if isinstance(error, FileNotFoundError) else ""


_UNREACHED = frozenset(
    (
        errno.EIO, errno.ENOTCONN, errno.ECONNABORTED, errno.ECONNREFUSED, errno.ECONNRESET, errno.EHOSTUNREACH,
        errno.ENETUNREACH, errno.ETIMEDOUT, errno.EAGAIN, errno.EREMOTEIO,
    )
)  # fmt: skip


def _orphans() -> set[int]:
    """What was left in the background below us: the first process of the run's namespace has inherited it."""
    return procfs.family(1) - procfs.family(os.getpid()) - {1}


class _Watch:
    """Sleeps until the mounts change, the process ends, or a time has passed."""

    def __init__(self, process: Process) -> None:
        self._file = mountinfo.MOUNTINFO.open()
        self._process = process
        self._poller = select.poll()
        self._poller.register(self._file, select.POLLERR | select.POLLPRI)
        self._poller.register(process.pidfd, select.POLLIN)

    def __enter__(self) -> _Watch:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def sleep(self, seconds: float) -> None:
        if not self._process.running:  # its descriptor would wake us at once, for ever
            with suppress(KeyError):
                self._poller.unregister(self._process.pidfd)
        self._poller.poll(seconds * 1000)


def _adopt(started: Process, server: int) -> Process:
    """The server that `started` put in the background before it ended."""
    if started.exit_code == 0:
        with suppress(ProcessLookupError):
            return Process(started.name, server, started.log)
    raise TargetError(f"the target ended as soon as it was mounted: {started.described()}")


def holders(device: int) -> list[int]:
    """Pids that hold the /dev/fuse of the mount `device`; of any mount, where the kernel does not say which."""
    found, ours = [], (None, kernel.connection_number(device))
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            for link in (entry / "fd").iterdir():
                if os.readlink(link) == "/dev/fuse" and _connection(entry / "fdinfo" / link.name) in ours:
                    found.append(int(entry.name))
                    break
    return sorted(found)


def _connection(fdinfo: Path) -> int | None:
    found = re.search(r"^fuse_connection:\s*(\d+)", fdinfo.read_text(), re.MULTILINE)
    return int(found[1]) if found else None
