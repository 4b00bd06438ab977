"""Any command inside the mount, timed from start to end."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from fuselab.errors import ProgramError
from fuselab.files import write_json
from fuselab.records.request import Load
from fuselab.targets.model import fill
from fuselab.workloads.base import LoadContext, LoadResult, Settings, WorkloadKind
from fuselab.workloads.metric import Metric, Phrase, Quantity
from fuselab.workloads.running import finish

if TYPE_CHECKING:
    from fuselab.schema.diagnostics import Diagnostics
    from fuselab.schema.yaml_source import Key

OUTPUT = "command.json"
_NOT_STARTED = 127
"""As a shell's exit code for a program that is not there."""
_WALL = Quantity(
    "command.wall_s",
    "s",
    "lower",
    Phrase("wall time of the command", "runs the command", "longer", "shorter"),
)


class Outcome(msgspec.Struct, frozen=True):
    """command.json."""

    wall_s: float
    exit_code: int


class Command(WorkloadKind):
    """Settings: `{argv, expect_exit}`. `{mountpoint}` in `argv` is where the filesystem is mounted, `{mountpoint2}`
    the second mount.
    """

    name = "command"
    quantities = (_WALL,)

    def read(self, diagnostics: Diagnostics, at: Key, name: str, part: Mapping[str, Any]) -> Settings:
        from fuselab.schema.argvs import check_argv

        check_argv(diagnostics, (*at, "argv"), part.get("argv"))
        argv = diagnostics.source.words((*at, "argv"), part.get("argv", ()))
        return {"argv": argv, "expect_exit": part.get("expect_exit", 0)}

    def called(self, settings: Settings) -> Sequence[str]:
        return tuple(settings["argv"][:1])

    def run(self, load: Load, context: LoadContext) -> LoadResult:
        argv = [fill(str(word), context.values) for word in load.settings["argv"]]
        started = time.monotonic()
        try:
            ended = finish(argv, context, cwd=context.directory, log="command.log", timeout_s=load.timeout_s)
        except ProgramError as error:
            return LoadResult(_NOT_STARTED, f"`argv` of the load {load.workload}: {error}")
        write_json(context.out / OUTPUT, Outcome(time.monotonic() - started, ended.exit_code))
        if ended.timed_out or ended.exit_code != load.settings.get("expect_exit", 0):
            return LoadResult(ended.exit_code or 1, f"`{' '.join(argv)}`: {ended.words(load.timeout_s)}")
        return LoadResult(0)

    def metrics(self, run: Path) -> Sequence[Metric]:
        outcome = msgspec.json.decode((run / OUTPUT).read_bytes(), type=Outcome)
        return [_WALL.of(outcome.wall_s)]
