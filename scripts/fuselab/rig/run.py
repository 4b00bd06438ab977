"""One run, from outside: check that the machine can make it, make it behind walls, read its record."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from fuselab.errors import RigError
from fuselab.files import closing, read_json, write_json
from fuselab.programs import RELAY, apt_install, package, program, tool_path
from fuselab.records.request import REQUEST, RunRequest
from fuselab.records.run import RunRecord, outcome_of
from fuselab.rig import state
from fuselab.rig.hidden import hidden_of
from fuselab.rig.load import prepares
from fuselab.rig.recorder import binary_path
from fuselab.rig.service import require_program
from fuselab.rig.worker import FORBIDDEN, INTERRUPTED, PREPARE_TIMEOUT_S
from fuselab.system import procfs, tracing
from fuselab.system.cgroup import Group, new_group
from fuselab.system.namespaces import contained
from fuselab.system.process import exit_words, handled, plain_env
from fuselab.workloads import REGISTRY
from fuselab.workloads.verifying import VERIFIERS

_MARGIN_S = 300.0
"""Beyond the sum of a run's own limits, before the whole of it is killed: hashing, profilers' files, slow disks."""
_STEP_S = 0.2
_TEARDOWN_S = 30.0
"""How long a run that was asked to end may take until it is killed."""


def execute(request: RunRequest) -> RunRecord:
    """Make one run and return its record: `ok`, `void` (the machine was busy) or `failed` (the variant's fault).

    `run.json` (or `attempt.json`, if it failed) in `request.out` says the same. Raises RigError if this machine
    cannot make the run; KeyboardInterrupt or SystemExit after a signal, once everything is taken down.
    """
    with signalled() as signals, started(request) as run:
        signals.follow(run)
        run.wait(signals)
    signals.raise_if_any()
    return run.outcome()


@dataclass
class Started:
    """A run that goes on in a process and namespaces of its own."""

    request: RunRequest
    process: subprocess.Popen[bytes]
    group: Group | None
    """Of the target's processes."""
    _control: socket.socket
    _said: str = ""
    _in_time: bool = True

    def ask_to_end(self) -> None:
        with suppress(OSError):
            self._control.send(b"T")

    def ended(self, within_s: float) -> bool:
        """Whether it has ended, or does before the time is over."""
        with closing(os.pidfd_open(self.process.pid)) as descriptor:
            return bool(select.select([descriptor], [], [], within_s)[0])

    def wait(self, signals: Signals) -> None:
        """Until it has ended; it is killed when its own limits are over, or after a signal that it does not follow."""
        deadline = time.monotonic() + limit_s(self.request)
        while not self.ended(_STEP_S):
            if signals.caught:
                deadline = min(deadline, time.monotonic() + _TEARDOWN_S)
            if time.monotonic() > deadline or len(signals.caught) > 2:
                self.process.kill()
                self._in_time = False
                break
        self.process.wait()

    def over(self) -> None:
        """Its namespaces are gone: read what it said, and remove what one that was killed has left."""
        self._said = hidden_of(self.request.mount).text(_all(self._control))
        if self.process.returncode != 0:
            with suppress(OSError):  # refused, or gone: nothing of ours is there
                state.sweep(Path(self.request.state_root))
            tracing.sweep()

    def outcome(self) -> RunRecord:
        """Its record. Raises RigError if it has left none."""
        return _outcome(self.request, self.process.returncode, self._said, self._in_time)


@contextmanager
def started(request: RunRequest) -> Iterator[Started]:
    """Start a run; at the end of the block all of it is gone. Raises RigError for what the machine lacks."""
    check(request)
    out = Path(request.out)
    write_json(out / REQUEST, request)
    ours, theirs = socket.socketpair()
    with ours, theirs, closing(procfs.open_proc()) as proc, new_group() as group:
        argv = _init_argv(out / REQUEST, theirs.fileno(), proc, group)
        # A session of its own: Ctrl-C reaches the run by us alone, and so in order.
        with contained(
            argv,
            mounts=True,
            network=request.mount.network,
            stdout=2,
            stderr=2,
            pass_fds=(theirs.fileno(), proc),
            start_new_session=True,
        ) as child:
            theirs.close()
            run = Started(request, child, group, ours)
            yield run
        run.over()


def _init_argv(request: Path, control: int, proc: int, group: Group | None) -> list[str]:
    argv = [sys.executable, "-m", "fuselab.rig.init", str(request), str(control), str(proc)]
    return [*argv, str(group.path), group.name] if group is not None else argv


def check(request: RunRequest) -> None:
    """Raise RigError for whatever this machine lacks, before anything is started."""
    config = request.mount
    kind = REGISTRY[request.load.kind]
    env = plain_env(Path("/tmp"))
    for name in ("unshare", "setpriv", "umount", *kind.programs):
        try:
            program(name, env)
        except RigError:
            raise RigError(
                f"the program `{name}` is not installed: apt-get install {package(name)} (or `make setup`)"
            ) from None
    for way in request.load.settings.get("ways", ()) if request.purpose == "verify" else ():
        needed = VERIFIERS[way].program
        if needed is not None and tool_path(needed.name) is None:
            raise RigError(f"`verify: [{way}]` needs {needed.name}, which is not installed: {needed.mend}")
    binary = binary_path(request)
    if binary is not None and not os.access(binary, os.X_OK):
        why = f"may not be executed: chmod +x {binary}" if binary.exists() else f"is not there: {binary}"
        raise RigError(f"the program of target {config.target} {why}")
    for _, service in config.services:
        require_program(service, env)
    if config.links and tool_path(RELAY) is None:
        raise RigError(f"`network` needs {RELAY}, which is not installed: {apt_install(RELAY)}")
    if config.argv and kind.needs_mount:
        _require_fuse()
    out = Path(request.out)
    if not out.is_dir() or any(out.iterdir()):
        raise RigError(f"the run's folder {out} is not an empty folder")


def _require_fuse() -> None:
    try:
        os.close(os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC))
    except FileNotFoundError:
        raise RigError("there is no /dev/fuse: load the kernel module with `sudo modprobe fuse`; "
                       "in a container, start it with `--device /dev/fuse`") from None  # fmt: skip
    except OSError as error:
        raise RigError(
            f"/dev/fuse cannot be opened ({error.strerror}): `sudo chmod 666 /dev/fuse`, or run as root"
        ) from None


def limit_s(request: RunRequest) -> float:
    """What all timeouts of a run add up to: a run that takes longer hangs in a way that nobody thought of."""
    config, load = request.mount, request.load
    total = request.gate_limit_s + _MARGIN_S
    for _, service in config.services:
        total += service.ready_timeout_s * (1 + 3 * len(service.prepare)) + service.stop_timeout_s
    total += PREPARE_TIMEOUT_S * len(config.prepare) + load.timeout_s * (1 + len(load.prepare))
    if config.drain is not None:
        total += (2 + prepares(load)) * (config.drain.limit_s + config.drain.quiet_s)
    return total + 2 * (config.mounts * (config.ready_timeout_s + 4 * config.stop.timeout_s) + load.timeout_s)


class Signals:
    """SIGINT and SIGTERM, as they come: each asks the runs that follow to end."""

    def __init__(self) -> None:
        self.caught: list[int] = []
        self._runs: list[Started] = []

    def follow(self, run: Started) -> None:
        self._runs.append(run)
        for _ in self.caught:
            run.ask_to_end()

    def note(self, number: int, _: FrameType | None) -> None:
        self.caught.append(number)
        for run in self._runs:
            run.ask_to_end()

    def raise_if_any(self) -> None:
        if self.caught:
            if self.caught[0] == signal.SIGINT:
                raise KeyboardInterrupt
            raise SystemExit(128 + self.caught[0])


@contextmanager
def signalled() -> Iterator[Signals]:
    """SIGINT and SIGTERM ask runs to end, and are noted; a third one will not be patient."""
    signals = Signals()
    if threading.current_thread() is not threading.main_thread():
        yield signals
        return
    with handled((signal.SIGINT, signal.SIGTERM), signals.note):
        yield signals


def _outcome(request: RunRequest, code: int, said: str, in_time: bool) -> RunRecord:
    out = Path(request.out)
    if code == 0 and (path := outcome_of(out)) is not None:
        return read_json(path, RunRecord)
    if code == FORBIDDEN:
        raise RigError(said)
    if not in_time:
        raise RigError(f"the run hung for {limit_s(request):.0f} s and was killed; what it left is in {out}")
    if code == INTERRUPTED:
        raise RigError(f"the run was asked from outside to end (SIGINT or SIGTERM); what it left is in {out}")
    if said:
        raise RigError(f"fuselab made a mistake of its own; what the run left is in {out}\n{said}")
    raise RigError(f"the run was ended from outside ({exit_words(code)}); what it left is in {out}")


def _all(control: socket.socket) -> str:
    """What the worker said before it ended. It never waits: the namespace is gone, and the other end with it."""
    chunks = []
    control.settimeout(1.0)
    with suppress(OSError):
        while chunk := control.recv(1 << 16):
            chunks.append(chunk)
    return b"".join(chunks).decode(errors="replace")
