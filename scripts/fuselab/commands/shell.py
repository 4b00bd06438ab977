"""One variant mounted in its rig for as long as somebody looks at it.

The run is an ordinary one whose load waits: `cat` on a FIFO. While this process holds the other end open, the
mount stands, and a shell can join the run's namespaces; closing it ends the load, and the rig takes everything
down as after any load.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from fuselab import profilers
from fuselab.building.build import make_build
from fuselab.checksums import quick_fault
from fuselab.errors import HoldError
from fuselab.experiment.loading import Loaded
from fuselab.experiment.plan import NONE, Plan
from fuselab.experiment.planning import make_plan
from fuselab.files import next_numbered
from fuselab.records.places import Results
from fuselab.records.request import Load, RunRequest
from fuselab.records.run import RunRecord
from fuselab.rig.run import execute
from fuselab.system import procfs
from fuselab.system.process import handled

_FOREVER_S = 20 * 86400.0
"""poll(2) knows no more than 24 days."""
_PAUSE_S = 0.05


@dataclass(frozen=True)
class Held:
    """A mounted variant. `pid` is a process inside, as this machine numbers it."""

    pid: int
    mountpoint: str
    binary: str
    target_pid: int | None
    """Of the target, as the run's own namespace numbers it."""
    out: Path


def plan_for(loaded: Loaded, variant: str, wanted: Sequence[str]) -> tuple[Plan, str]:
    """A plan with exactly the profilers `wanted` for `variant`, and their key in its mounts.

    Raises HoldError for a profiler that cannot look at this target.
    """
    target = loaded.targets[loaded.experiment.variant(variant).target]
    for name in wanted:
        capability = profilers.REGISTRY[name].capability(target)
        if capability.level == "unavailable":
            raise HoldError(f"the profiler '{name}' cannot look at {target.name}: {capability.reason}")
    sets = (tuple(wanted),) if wanted else ()
    # The load is to wait: at a command there is nothing to look.
    loads = tuple(workload.unobserved for workload in loaded.experiment.workloads)
    looking = replace(loaded, experiment=replace(loaded.experiment, profilers=sets, workloads=loads))
    return make_plan(looking), "+".join(wanted) or NONE


def build(plan: Plan, loaded: Loaded, variant: str, profiler: str, root: Path) -> None:
    """Make the build that `variant` needs, unless it is there. Raises BuildError."""
    request = plan.build_of(variant, profiler)
    if request is None:
        return
    out = Results(root).build(request.folder)
    if quick_fault(out):  # not there, or changed since
        make_build(request, loaded.targets[request.target].build, out)


@contextmanager
def held(plan: Plan, variant: str, profiler: str, root: Path) -> Iterator[tuple[Held, list[RunRecord]]]:
    """Mount `variant`; when the block is left, take it down, and add the run's record to the list.

    Raises RigError or HoldError, with the target's last log lines, if it does not mount.
    """
    out = next_numbered(Results(root).experiment(plan.experiment.name).held(variant))
    out.mkdir()
    fifo = out.parent / f"{out.name}.fifo"
    os.mkfifo(fifo)
    request = _request(plan, variant, profiler, root, out, fifo)
    records: list[RunRecord] = []
    try:
        with ThreadPoolExecutor(1) as pool:
            run = pool.submit(execute, request)
            writer = _wait_for_load(fifo, run)
            try:
                yield _look(fifo, request, out), records
            finally:
                os.close(writer)
            records.append(run.result())
    finally:
        fifo.unlink()


def _request(plan: Plan, variant: str, profiler: str, root: Path, out: Path, fifo: Path) -> RunRequest:
    load = Load(
        "command", "hold", {"argv": ("cat", str(fifo)), "expect_exit": 0}, cache="warm", timeout_s=_FOREVER_S
    )
    return RunRequest(
        purpose="capture",
        experiment=plan.experiment.name,
        mount=plan.mounts[variant, profiler],
        load=load,
        out=str(out),
        state_root=str(Results(root).state_of(plan.experiment.state)),
        repository=str(root),
        gate_limit_s=0.0,
    )


def _wait_for_load(fifo: Path, run: Future[RunRecord]) -> int:
    """The writing end, once the load has opened the other: the target is mounted then."""
    while True:
        with suppress(OSError):  # nobody reads yet
            return os.open(fifo, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        if run.done():
            raise HoldError(run.result().reason or "the run ended before its load began")
        time.sleep(_PAUSE_S)


def _look(fifo: Path, request: RunRequest, out: Path) -> Held:
    """Find the waiting load among our descendants: its namespaces, its folder, its sibling the target."""
    below = {pid: _argv(pid) for pid in sorted(procfs.family(os.getpid()))}
    pid = next(
        (p for p, argv in below.items() if Path(argv[0]).name == "cat" and argv[-1] == str(fifo)), None
    )
    if pid is None:
        raise HoldError("the waiting load is gone: was it killed?")
    mountpoint = os.readlink(f"/proc/{pid}/cwd")
    binary = request.mount.binary
    path = str(Path(request.repository) / binary) if "/" in binary else binary
    target = next((p for p, argv in below.items() if Path(argv[0]).name == Path(path).name), None)
    return Held(pid, mountpoint, path, procfs.inner_pid(target) if target else None, out)


def _argv(pid: int) -> list[str]:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text().split("\0")[:-1] or [""]
    return [""]


def enter(at: Held, command: Sequence[str]) -> int:
    """Run `command` (a shell, if it is empty) inside the run, in the mount; its exit code."""
    argv = ["nsenter", f"--target={at.pid}", "--mount", "--pid", "--net"]
    if os.geteuid() != 0:  # in a user namespace then, and only from within it may the mount be entered
        argv[2:2] = ["--user", "--preserve-credentials"]
    shell = os.environ.get("SHELL", "/bin/sh")
    env = {
        **os.environ,
        "FUSELAB_MOUNTPOINT": at.mountpoint,
        "FUSELAB_BINARY": at.binary,
        "FUSELAB_CAPTURE": str(at.out),
        "FUSELAB_TARGET_PID": "" if at.target_pid is None else str(at.target_pid),
    }
    restored = ["env", "--default-signal=INT,TERM", "sh", "-c", 'cd "$FUSELAB_MOUNTPOINT" && exec "$@"', "sh"]
    with handled((signal.SIGINT,), signal.SIG_IGN):  # Ctrl-C is for whoever runs inside
        return subprocess.run([*argv, *restored, *(command or (shell,))], env=env, check=False).returncode


def described(at: Held) -> str:
    """What can be done inside, for whoever is about to be there."""
    lines = [f"mounted at {at.mountpoint}; its files and logs are in {at.out}"]
    if at.target_pid is not None:
        lines.append(
            f"the target is process {at.target_pid} here: {shlex.join(['perf', 'top', '-p', str(at.target_pid)])}"
        )
    return "\n".join(lines)
