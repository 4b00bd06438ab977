"""Runs of small targets in the real rig: bindfs, and shell lines that misbehave on purpose."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.mount.processes import naming, pid_of

from fuselab.records.request import Load, MountConfig, RunRequest
from fuselab.records.run import RunRecord
from fuselab.rig.run import execute
from fuselab.targets.model import ONLY, Stopping

BINDFS = ("bindfs", "-f", "{state}", "{mountpoint}")

OUTER = """
import sys, msgspec, pathlib
from fuselab.errors import RigError
from fuselab.records.request import RunRequest
from fuselab.rig.run import execute
try:
    print(execute(msgspec.json.decode(pathlib.Path(sys.argv[1]).read_bytes(), type=RunRequest)).status)
except RigError as error:
    sys.exit(f"RigError: {error}")
"""
"""A job: what Snakemake starts for a run."""


@dataclass(frozen=True)
class Rig:
    """A folder for runs. Requests are capture runs of bindfs under a short fio by default: never void."""

    root: Path

    def request(self, **changes: Any) -> RunRequest:
        """Fields of the request, or of its mount or load, whichever has that name; `service` is its only one."""
        if "service" in changes:
            changes["services"] = ((ONLY, changes.pop("service")),)
        mount = MountConfig(
            variant="v", target="bindfs", build=None, binary="", argv=BINDFS, env=(), files=(), prepare=(),
            ready_timeout_s=20.0, stop=Stopping("unmount", "TERM", 10.0), backend="none", persists=True,
        )  # fmt: skip
        load = fio(rw="write", bs="64k", size="4m")
        number = len(list(self.root.glob("out-*"))) + 1
        out = self.root / f"out-{number}"
        out.mkdir()
        request = RunRequest(
            purpose="capture", experiment="e", mount=mount, load=load, out=str(out),
            state_root=str(self.root / "state"), repository=str(self.root), gate_limit_s=0.0,
        )  # fmt: skip
        for name, value in changes.items():
            if hasattr(mount, name):
                mount = replace(mount, **{name: value})
            elif hasattr(load, name):
                load = replace(load, **{name: value})
            else:
                request = replace(request, **{name: value})
        return replace(request, mount=mount, load=changes.get("load", load))

    def run(self, **changes: Any) -> tuple[RunRecord, Path]:
        request = self.request(**changes)
        return execute(request), Path(request.out)

    def job(
        self,
        request: RunRequest,
        prefix: Sequence[str] = (),
        program: Sequence[str] = (sys.executable,),
        **options: Any,
    ) -> subprocess.Popen[str]:
        """The run in a process of its own, as Snakemake has it; `prefix` goes before its command."""
        path = self.root / f"{Path(request.out).name}.request"
        path.write_bytes(msgspec.json.encode(request))
        job: subprocess.Popen[str] = subprocess.Popen(
            [*prefix, *program, "-c", OUTER, str(path)],
            text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options,
        )  # fmt: skip
        return job

    def left(self) -> list[str]:
        """Processes that name this folder, of this one's descendants and of everybody's."""
        return [str(process) for process in naming(self.root)]

    def nothing_left(self, within_s: float = 5.0) -> bool:
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            if not self.left():
                return str(self.root) not in Path("/proc/self/mountinfo").read_text()
            time.sleep(0.05)
        return False

    def pid_of(self, *words: str) -> int:
        """The process of a run of this folder whose command line has all `words`, as soon as it is there."""
        return pid_of(self.root, *words)


def fio(**options: str) -> Load:
    return Load(kind="fio", workload="w", settings={"jobs": {"job": options}, "global": {}}, randseed=1)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path)
    yield rig
    assert rig.nothing_left(), rig.left()


@pytest.fixture
def mounts_before() -> Callable[[], bool]:
    """Whether the mounts of this namespace are still the same."""
    before = Path("/proc/self/mountinfo").read_text()
    return lambda: Path("/proc/self/mountinfo").read_text() == before
