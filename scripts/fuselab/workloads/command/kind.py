"""Any command inside the mount, timed from start to end."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

import msgspec

from fuselab.errors import ProgramError
from fuselab.files import write_json
from fuselab.records.request import Load
from fuselab.targets.model import fill
from fuselab.workloads.base import LoadContext, LoadResult, Metric, Traffic
from fuselab.workloads.fio.kind import Fio
from fuselab.workloads.running import finish

OUTPUT = "command.json"
_NOT_STARTED = 127
"""As a shell's exit code for a program that is not there."""


class Outcome(msgspec.Struct, frozen=True):
    """command.json."""

    wall_s: float
    exit_code: int


class Command:
    """Settings: `{argv, expect_exit}`. `{mountpoint}` in `argv` is where the filesystem is mounted, `{mountpoint2}`
    the second mount.
    """

    name = "command"
    needs_mount = True
    programs: tuple[str, ...] = ()

    def closed_loop(self, settings: Mapping[str, object]) -> bool:
        return True

    def asked(self, settings: Mapping[str, object]) -> Mapping[str, float]:
        return {}

    def metric_names(self, settings: Mapping[str, object]) -> Sequence[str]:
        return ["command.wall_s"]

    def render(self, settings: Mapping[str, object]) -> None:
        return None

    def run(self, load: Load, context: LoadContext) -> LoadResult:
        words = cast("Sequence[str]", load.settings["argv"])
        argv = [fill(str(word), context.values) for word in words]
        expected = cast("int", load.settings.get("expect_exit", 0))
        started = time.monotonic()
        try:
            ended = finish(argv, context, cwd=context.directory, log="command.log", timeout_s=load.timeout_s)
        except ProgramError as error:
            return LoadResult(_NOT_STARTED, f"`argv` of the load {load.workload}: {error}")
        write_json(context.out / OUTPUT, Outcome(time.monotonic() - started, ended.exit_code))
        if ended.timed_out or ended.exit_code != expected:
            return LoadResult(ended.exit_code or 1, f"`{' '.join(argv)}`: {ended.words(load.timeout_s)}")
        return LoadResult(0)

    def verify(self, context: LoadContext, written: bool) -> LoadResult:
        return Fio().verify(context, written)

    def metrics(self, run: Path) -> Sequence[Metric]:
        outcome = msgspec.json.decode((run / OUTPUT).read_bytes(), type=Outcome)
        return [Metric("command.wall_s", "s", "lower", outcome.wall_s)]

    def after_drain(self, run: Path, drain_s: float) -> Sequence[Metric]:
        return []

    def traffic(self, run: Path) -> Traffic:
        return Traffic(operations=0, bytes=0)
