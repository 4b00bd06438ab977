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
from pathlib import Path
from types import FrameType

from fuselab.errors import RigError
from fuselab.files import closing, read_json, write_json
from fuselab.programs import RELAY, apt_install, package, program, tool_path
from fuselab.records.request import REQUEST, RunRequest
from fuselab.records.run import RunRecord, outcome_of
from fuselab.rig import state
from fuselab.rig.hidden import hidden_of
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
_TEARDOWN_S = 30.0
"""How long a run that was asked to end may take until it is killed."""


def execute(request: RunRequest) -> RunRecord:
    """Make one run and return its record: `ok`, `void` (the machine was busy) or `failed` (the variant's fault).

    `run.json` (or `attempt.json`, if it failed) in `request.out` says the same. Raises RigError if this machine
    cannot make the run; KeyboardInterrupt or SystemExit after a signal, once everything is taken down.
    """
    check(request)
    out = Path(request.out)
    write_json(out / REQUEST, request)
    ours, theirs = socket.socketpair()
    with ours, theirs, closing(procfs.open_proc()) as proc, new_group() as group:
        argv = _init_argv(out / REQUEST, theirs.fileno(), proc, group)
        # A session of its own: Ctrl-C reaches the run by us alone, and so in order.
        with (
            _passing_on(ours) as caught,
            contained(
                argv,
                mounts=True,
                network=request.mount.network,
                stdout=2,
                stderr=2,
                pass_fds=(theirs.fileno(), proc),
                start_new_session=True,
            ) as child,
        ):
            theirs.close()
            in_time = _wait(child, request, caught)
        said = hidden_of(request.mount).text(_all(ours))
    if child.returncode != 0:
        with suppress(OSError):  # refused, or gone: nothing of ours is there
            state.sweep(Path(request.state_root))
        tracing.sweep()
    if caught:
        if caught[0] == signal.SIGINT:
            raise KeyboardInterrupt
        raise SystemExit(128 + caught[0])
    return _outcome(request, child.returncode, said, in_time)


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
    total += PREPARE_TIMEOUT_S * len(config.prepare) + load.timeout_s * len(load.prepare)
    if config.drain is not None:
        total += (2 + bool(load.prepare)) * (config.drain.limit_s + config.drain.quiet_s)
    return total + 2 * (config.mounts * (config.ready_timeout_s + 4 * config.stop.timeout_s) + load.timeout_s)


def _wait(child: subprocess.Popen[bytes], request: RunRequest, caught: list[int]) -> bool:
    """Until the child has ended, or its time is over: False then."""
    deadline = time.monotonic() + limit_s(request)
    with closing(os.pidfd_open(child.pid)) as descriptor:
        while not select.select([descriptor], [], [], 0.2)[0]:
            if caught:
                deadline = min(deadline, time.monotonic() + _TEARDOWN_S)
            if time.monotonic() > deadline or len(caught) > 2:
                child.kill()
                child.wait()
                return False
    child.wait()
    return True


@contextmanager
def _passing_on(control: socket.socket) -> Iterator[list[int]]:
    """SIGINT and SIGTERM ask the run to end, and are noted; a third one will not be patient."""
    caught: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield caught
        return

    def handle(number: int, _: FrameType | None) -> None:
        caught.append(number)
        with suppress(OSError):
            control.send(b"T")

    with handled((signal.SIGINT, signal.SIGTERM), handle):
        yield caught


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
