"""Any command inside the mount, timed from start to end, with the figures that it writes."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from fuselab.errors import ProgramError
from fuselab.files import write_json
from fuselab.readouts import ReadoutError
from fuselab.records.metrics import Better
from fuselab.targets.model import fill
from fuselab.workloads.base import LoadContext, LoadResult, Looked, Settings, WorkloadKind
from fuselab.workloads.command import figures
from fuselab.workloads.metric import Metric, Phrase, Quantity
from fuselab.workloads.running import finish

if TYPE_CHECKING:
    from fuselab.records.request import Load
    from fuselab.schema.diagnostics import Diagnostics
    from fuselab.schema.yaml_source import Key

OUTPUT = "command.json"
_SAID = "command.out"
"""Standard output, where figures are looked for in it: without warnings in between."""
_LOOKS_AT = "looks_at"
_NOT_STARTED = 127
"""As a shell's exit code for a program that is not there."""
_WALL = Quantity(
    "command.wall_s",
    "s",
    "lower",
    Phrase("wall time of the command", "runs the command", "longer", "shorter"),
)


class Figure(msgspec.Struct, frozen=True):
    """A metric that the experiment has named, in its base unit."""

    name: str
    unit: str
    better: Better
    value: float


class Outcome(msgspec.Struct, frozen=True, omit_defaults=True):
    """command.json."""

    wall_s: float
    exit_code: int
    figures: tuple[Figure, ...] = ()


class Command(WorkloadKind):
    """Settings: `{argv, expect_exit, metrics, looks_at}`, the last two where they say something. `{mountpoint}` in
    `argv` is where the filesystem is mounted, `{mountpoint2}` the second mount, `{scratch}` a folder beside it.
    """

    name = "command"
    quantities = (_WALL,)

    def read(self, diagnostics: Diagnostics, at: Key, name: str, part: Mapping[str, Any]) -> Settings:
        from fuselab.schema.argvs import check_argv

        check_argv(diagnostics, (*at, "argv"), part.get("argv"))
        argv = diagnostics.source.words((*at, "argv"), part.get("argv", ()))
        settings = {"argv": argv, "expect_exit": part.get("expect_exit", 0)}
        if metrics := figures.read(diagnostics, (*at, "metrics"), part.get("metrics", {})):
            settings["metrics"] = metrics
        if (looked := part.get(_LOOKS_AT, self.looks_at)) != self.looks_at:
            settings[_LOOKS_AT] = looked
        return settings

    def metric_names(self, settings: Settings) -> Sequence[str]:
        return [*(figures.PREFIX + name for name in settings.get("metrics", ())), _WALL.name]

    def primary(self, settings: Settings) -> Sequence[str]:
        """The figures that the experiment names; the wall time where it names none."""
        return self.metric_names(settings)[: len(settings.get("metrics", ())) or 1]

    def quantity(self, metric: str) -> Quantity | None:
        named = figures.known(metric) if metric.startswith(figures.PREFIX) else None
        return super().quantity(metric) or named

    def looked_at(self, settings: Settings) -> Looked:
        looked: Looked = settings.get(_LOOKS_AT, self.looks_at)
        return looked

    def unobserved(self, settings: Settings) -> Settings:
        return {name: value for name, value in settings.items() if name != _LOOKS_AT}

    def called(self, settings: Settings) -> Sequence[str]:
        return tuple(settings["argv"][:1])

    def run(self, load: Load, context: LoadContext) -> LoadResult:
        argv = [fill(str(word), context.values) for word in load.settings["argv"]]
        metrics = load.settings.get("metrics", {})
        started = time.monotonic()
        try:
            ended = finish(
                argv, context, cwd=context.directory, log="command.log", timeout_s=load.timeout_s,
                output=_SAID if metrics else None,
            )  # fmt: skip
        except ProgramError as error:
            return LoadResult(_NOT_STARTED, f"`argv` of the load {load.workload}: {error}")
        wall_s = time.monotonic() - started
        if ended.timed_out or ended.exit_code != load.settings.get("expect_exit", 0):
            return LoadResult(ended.exit_code or 1, f"`{' '.join(argv)}`: {ended.words(load.timeout_s)}")
        try:
            found = list(figures.found(metrics, context.out / _SAID, context))
        except ReadoutError as error:
            return LoadResult(1, f"`{' '.join(argv)}` ended well, but {error}{ended.quoted}")
        named = tuple(Figure(metric.name, metric.unit, metric.better, metric.value) for metric in found)
        write_json(context.out / OUTPUT, Outcome(wall_s, ended.exit_code, named))
        return LoadResult(0)

    def described(self, name: str, settings: Settings) -> Sequence[str]:
        """Where its figures come from, if it names any (the wall time needs no words), and whom profilers look at."""
        metrics = settings.get("metrics", {})
        told = ", ".join(f"`{figures.PREFIX}{metric}` ({part['unit']})" for metric, part in metrics.items())
        program = str(settings["argv"][0])
        said = [f"`{name}` runs `{program}`, which measures by itself: {told}."] if metrics else []
        if self.looked_at(settings) == "command":
            said.append(
                f"Under `{name}` profilers look at `{program}` and all that it starts, not at the filesystem."
            )
        return said

    def metrics(self, run: Path) -> Sequence[Metric]:
        outcome = msgspec.json.decode((run / OUTPUT).read_bytes(), type=Outcome)
        named = (Metric(figure.name, figure.unit, figure.better, figure.value) for figure in outcome.figures)
        return [*named, _WALL.of(outcome.wall_s)]
