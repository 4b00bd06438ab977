"""A Criterion bench of the target's own package: no mount, the bench's program alone."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fuselab import foreign
from fuselab.targets.model import CargoBuild
from fuselab.workloads.base import CheckContext, LoadContext, LoadResult, Settings, Traffic, WorkloadKind
from fuselab.workloads.criterion.iterations import read_iterations
from fuselab.workloads.metric import Metric, Phrase, Quantity
from fuselab.workloads.running import finish

if TYPE_CHECKING:
    from fuselab.building.request import BuildRequest
    from fuselab.records.request import Load
    from fuselab.schema.diagnostics import Diagnostics
    from fuselab.schema.yaml_source import Key

HOME = "criterion"
"""Folder in the run folder that Criterion writes to."""
LOG = "bench.log"
_PREFIX = "bench."
_CAPTURED = (("--nresamples", "1001"), ("--warm-up-time", "0.001"))
"""Under a profiler: Criterion's statistics keep every core busy after each bench (these are the fewest that it does not
warn of), and how often a bench runs while it warms up is known only where that is short."""
_PROFILED = "--profile-time"
"""How long a bench runs for its own profiler. It measures nothing then, so nobody else's run is told of it."""

_INSTEAD = (
    "what measures it by itself is a load `command: {argv: [PROGRAM], looks_at: command, metrics: {time: {regex: "
    "'time: ([0-9.]+)', unit: ms, better: lower}}}`, which reads the figures that PROGRAM prints"
)
"""What to write where there is no bench."""


def _time_of(bench: str) -> Quantity:
    words = Phrase(f"time of the bench {bench}", f"runs the bench {bench}", "longer", "shorter")
    return Quantity(_PREFIX + bench, "ns", "lower", words)


class Criterion(WorkloadKind):
    """Settings: `{bench, filter, args}`."""

    name = "criterion"
    quantities = (_time_of("geomean"),)
    """The one that is known before the bench has run: what decides unless the experiment says otherwise."""
    needs_mount = False
    looks_at = "program"
    operation = "iteration"

    def read(self, diagnostics: Diagnostics, at: Key, name: str, part: Mapping[str, Any]) -> Settings:
        args = diagnostics.source.words((*at, "args"), part.get("args", ()))
        return {"bench": part.get("bench", ""), "filter": part.get("filter", ""), "args": args}

    def check(self, diagnostics: Diagnostics, at: Key, settings: Settings, context: CheckContext) -> None:
        bench = str(settings["bench"])
        for target in context.targets.values():
            if not isinstance(target.build, CargoBuild):
                message = f"'{target.name}' is not built by cargo, so it has no Criterion bench: {_INSTEAD}"
                diagnostics.add((*at, "bench"), message)
            elif not target.build.benches:
                mend = (
                    f"name it in target.yaml of '{target.name}', `build: {{cargo: {{benches: [{bench}]}}}}`"
                )
                diagnostics.add((*at, "bench"), f"'{target.name}' lists no bench: {mend}")
            elif bench not in target.build.benches:
                why = f" of '{target.name}'"
                diagnostics.unknown((*at, "bench"), "bench", target.build.benches, why=why, name=bench)

    def yields(self, settings: Settings, metric: str) -> bool:
        """The ids of benches are known once they have run."""
        return metric.startswith(_PREFIX)

    def quantity(self, metric: str) -> Quantity | None:
        return _time_of(metric.removeprefix(_PREFIX)) if metric.startswith(_PREFIX) else None

    def build(self, settings: Settings, program: BuildRequest) -> BuildRequest:
        from fuselab.building.request import bench_request

        return bench_request(program, str(settings["bench"]))

    def run(self, load: Load, context: LoadContext) -> LoadResult:
        bench = context.binary
        only = str(load.settings.get("filter") or "")
        argv = [str(bench), "--bench", "--noplot", *([only] if only else []), *_arguments(load, context)]
        ended = finish(
            argv, context, cwd=context.scratch, env={"CRITERION_HOME": str(context.out / HOME)}, log=LOG,
            timeout_s=load.timeout_s,
        )  # fmt: skip
        if ended.timed_out or ended.exit_code != 0:
            return LoadResult(ended.exit_code or 1, f"the bench {bench.name}: {ended.words(load.timeout_s)}")
        # One that runs for a profiler alone measures nothing: what it left is the profiler's to judge.
        if not context.argv and not any((context.out / HOME).rglob("*")):
            return LoadResult(
                1, f"the bench {bench.name} measured nothing: does the filter `{only}` match an id?"
            )
        return LoadResult(0)

    def traffic(self, run: Path) -> Traffic:
        """Its operations are iterations."""
        found = read_iterations(run / HOME, run / LOG)
        if not found:
            return Traffic(operations=0, bytes=0)
        benches = f"`{found[0].bench}`" if len(found) == 1 else f"{len(found)} benches"
        mean_ns = sum(each.timed_ns for each in found) / sum(each.timed for each in found)
        return Traffic(sum(each.count for each in found), 0, one=(f"An iteration of {benches}", mean_ns))

    def metrics(self, run: Path) -> Sequence[Metric]:
        """`bench.<id>`, in ns per iteration: the slope, or the mean where Criterion measures no slope; and the
        geometric mean of them all, in which every bench weighs alike whatever its own time. NaN is what was not
        measured: it has no ratio, and the verdict says so."""
        files = sorted((run / HOME).rglob("new/estimates.json"))
        each = [_time_of(_id(path)).of(_estimate(path)) for path in files]
        if not each:
            return []
        values = [metric.value for metric in each]
        # Without one of them it would be another figure.
        known = all(value > 0 for value in values)
        mean = math.exp(math.fsum(map(math.log, values)) / len(values)) if known else math.nan
        return [self.quantities[0].of(mean), *each]


def _arguments(load: Load, context: LoadContext) -> list[str]:
    """The load's own, and what a profiler wants. Criterion takes no option twice."""
    own = [str(word) for word in load.settings.get("args", ())]
    others = [option for option, _ in (() if context.ramp else _CAPTURED)]
    if _PROFILED not in context.argv:
        others.append(_PROFILED)
    for option in others:
        own = _without(own, option)
    asked = zip(context.argv[::2], context.argv[1::2], strict=True)
    more = [pair for pair in asked if _without(own, pair[0]) == own]
    return [*own, *(word for pair in (*more, *(() if context.ramp else _CAPTURED)) for word in pair)]


def _without(words: Sequence[str], option: str) -> list[str]:
    """Words of a command line without an option and its value."""
    values = {number + 1 for number, word in enumerate(words) if word == option}
    return [
        word
        for number, word in enumerate(words)
        if number not in values and word != option and not word.startswith(f"{option}=")
    ]


def _id(estimates: Path) -> str:
    """The id as the bench wrote it: folder names are cleaned and cut."""
    return foreign.name(json.loads(estimates.with_name("benchmark.json").read_text())["full_id"])


def _estimate(estimates: Path) -> float:
    """NaN where there is none: Criterion writes what is no number (a division by no iterations) as null."""
    data = json.loads(estimates.read_text())
    said = [data[name]["point_estimate"] for name in ("slope", "mean") if data.get(name)]
    return next((float(value) for value in said if value is not None), math.nan)
