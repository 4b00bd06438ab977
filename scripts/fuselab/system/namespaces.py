"""Walls around what a run or a build starts, made by unshare(1): when the outer end dies, all of it dies.

Two lines hold, each enough by itself. The kernel kills `unshare` when the thread that started it ends
(`setpriv --pdeathsig`), unshare's death kills the first process of the pid namespace, and its death kills the
rest. And we ourselves end when the process that started us does (`follow_parent`): kill -9 of snakemake takes its
jobs along.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, Literal

from fuselab.errors import RigError
from fuselab.programs import package

Network = Literal["private", "host"]

PARENT = "FUSELAB_PARENT_PID"
"""Environment variable in which a Snakemake process tells the jobs it starts whom to follow."""
_PROBE_TIMEOUT_S = 20.0
_KILL_WAIT_S = 10.0


@contextmanager
def contained(
    argv: Sequence[str],
    *,
    mounts: bool = False,
    network: Network = "host",
    **options: Any,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run `argv` as the first process of a pid namespace; when the block is left, nothing of it is left.

    `mounts`: private mounts too, with a /proc of its own. `network` "private": an empty network of its own.
    Without either (builds), a machine that forbids namespaces still serves: only the pdeathsig chain holds then.
    `options` are those of Popen.
    Raises RigError if the walls that were asked for are forbidden here.
    """
    walls = _walls(mounts, network)
    forbidden = _forbidden(walls)
    if forbidden and (mounts or network == "private"):
        raise RigError(_mend(forbidden))
    follow_parent()
    command = ["setpriv", "--pdeathsig", "KILL", *(() if forbidden else walls), *argv]
    child: subprocess.Popen[bytes] = subprocess.Popen(command, stdin=subprocess.DEVNULL, **options)
    try:
        yield child
    finally:
        if child.poll() is None:
            child.kill()
            child.wait(_KILL_WAIT_S)
        for stream in (child.stdout, child.stderr):
            if stream is not None:
                stream.close()


def all_accounts_mapped() -> bool:
    """Whether this user namespace knows more than one account: others' files are nobody's in one that does not."""
    return int(Path("/proc/self/uid_map").read_text().split()[2]) > 1


def _walls(mounts: bool, network: Network) -> tuple[str, ...]:
    """unshare and its options. Without root a user namespace is what permits the others."""
    options = ["--pid", "--fork", "--kill-child=KILL"]
    if mounts:
        options += ["--mount", "--mount-proc"]
    if network == "private":
        options.append("--net")
    if os.geteuid() != 0:
        # A rig mounts, so it is root inside; a build keeps its own name, as tools that ask for it expect.
        options += ["--user", "--map-root-user" if mounts else "--map-current-user"]
    return ("unshare", *options, "--")


@cache
def _forbidden(walls: tuple[str, ...]) -> str:
    """What unshare says if this machine does not permit `walls`; "" if it does."""
    try:
        done = subprocess.run(
            [*walls, "true"],
            capture_output=True,
            text=True,
            timeout=_PROBE_TIMEOUT_S,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except FileNotFoundError:
        raise RigError(
            f"the program `unshare` is not installed: apt-get install {package('unshare')}"
        ) from None
    return "" if done.returncode == 0 else done.stderr.strip() or f"exit code {done.returncode}"


def _mend(said: str) -> str:
    """What to do about forbidden namespaces, from the switches that this kernel has."""
    switches = {
        "kernel.apparmor_restrict_unprivileged_userns": "0",
        "kernel.unprivileged_userns_clone": "1",
        "user.max_user_namespaces": "10000",
    }
    wrong = []
    for name, good in switches.items():
        try:
            value = Path("/proc/sys", *name.split(".")).read_text().strip()
        except OSError:
            continue
        if (value == "0") == (good != "0"):
            wrong.append(f"sudo sysctl {name}={good}")
    if os.geteuid() == 0:
        mend = "this looks like a container: start it with --privileged, or with --cap-add SYS_ADMIN"
    else:
        mend = " or ".join(["run with sudo", *wrong])
    return f"a run needs namespaces of its own, and this machine does not permit them ({said}): {mend}"


_following = threading.Lock()


def follow_parent() -> None:
    """Kill this process as soon as its parent process has ended, however it ended.

    The parent is the process named by `PARENT`, if it is set: one that was killed while this process was still
    starting would not be found by asking for our parent. A thread that watches a pidfd, and not PR_SET_PDEATHSIG: that
    one fires when the *thread* that started us ends, which says nothing where the parent starts programs from
    short-lived threads.
    """
    if not _following.acquire(blocking=False):
        return
    named = os.environ.get(PARENT)
    parent = int(named) if named else os.getppid()
    try:
        descriptor = os.pidfd_open(parent)
    except OSError:
        if named:
            os.kill(os.getpid(), signal.SIGKILL)
        return  # outside our pid namespace: its end is ours anyway
    if not named and os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)
    _follow(descriptor, 0)


def outlive_parent(seconds: float) -> None:
    """Kill this process so long after whoever has started it has ended: it has that time to end by itself."""
    parent = os.getppid()
    with suppress(OSError):
        descriptor = os.pidfd_open(parent)
        _follow(descriptor if os.getppid() == parent else None, seconds)


def _follow(descriptor: int | None, seconds: float) -> None:
    threading.Thread(target=_die_with, args=(descriptor, seconds), name="follow parent", daemon=True).start()


def _die_with(descriptor: int | None, seconds: float) -> None:
    if descriptor is not None:
        select.select([descriptor], [], [])
    time.sleep(seconds)
    os.kill(os.getpid(), signal.SIGKILL)
