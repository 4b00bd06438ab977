"""A Criterion bench of the target's own package: no mount, the bench's program alone."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

from fuselab import foreign
from fuselab.records.request import Load
from fuselab.workloads.base import LoadContext, LoadResult, Metric, Traffic
from fuselab.workloads.running import finish

HOME = "criterion"
"""Folder in the run folder that Criterion writes to."""
GEOMEAN = "bench.geomean"
"""The one metric whose name is known before the bench has run: what decides unless the experiment says otherwise."""


class Criterion:
    """Settings: `{bench, filter, args}`."""

    name = "criterion"
    needs_mount = False
    programs: tuple[str, ...] = ()

    def closed_loop(self, settings: Mapping[str, object]) -> bool:
        return True

    def asked(self, settings: Mapping[str, object]) -> Mapping[str, float]:
        return {}

    def metric_names(self, settings: Mapping[str, object]) -> Sequence[str]:
        """The mean over all benches; their own ids are known once they have run."""
        return [GEOMEAN]

    def render(self, settings: Mapping[str, object]) -> None:
        return None

    def run(self, load: Load, context: LoadContext) -> LoadResult:
        from fuselab.building.request import bench_path

        bench = bench_path(context.binary, str(load.settings["bench"]))
        only = str(load.settings.get("filter") or "")
        args = cast("Sequence[str]", load.settings.get("args", ()))
        argv = [str(bench), "--bench", "--noplot", *([only] if only else []), *map(str, args)]
        ended = finish(
            argv, context, cwd=context.scratch, env={"CRITERION_HOME": str(context.out / HOME)}, log="bench.log",
            timeout_s=load.timeout_s,
        )  # fmt: skip
        if ended.timed_out or ended.exit_code != 0:
            return LoadResult(ended.exit_code or 1, f"the bench {bench.name}: {ended.words(load.timeout_s)}")
        if not any((context.out / HOME).rglob("*")):
            return LoadResult(
                1, f"the bench {bench.name} measured nothing: does the filter `{only}` match an id?"
            )
        return LoadResult(0)

    def verify(self, context: LoadContext, written: bool) -> None:
        return None

    def metrics(self, run: Path) -> Sequence[Metric]:
        """`bench.<id>`, in ns per iteration: the slope, or the mean where Criterion measures no slope; and the
        geometric mean of them all, in which every bench weighs alike whatever its own time. NaN is what was not
        measured: it has no ratio, and the verdict says so."""
        each = [
            Metric(f"bench.{_id(path)}", "ns", "lower", _estimate(path))
            for path in sorted((run / HOME).rglob("new/estimates.json"))
        ]
        if not each:
            return []
        values = [metric.value for metric in each]
        # Without one of them it would be another figure.
        known = all(value > 0 for value in values)
        mean = math.exp(math.fsum(map(math.log, values)) / len(values)) if known else math.nan
        return [Metric(GEOMEAN, "ns", "lower", mean), *each]

    def after_drain(self, run: Path, drain_s: float) -> Sequence[Metric]:
        return []

    def traffic(self, run: Path) -> Traffic:
        return Traffic(operations=0, bytes=0)


def _id(estimates: Path) -> str:
    """The id as the bench wrote it: folder names are cleaned and cut."""
    return foreign.name(json.loads(estimates.with_name("benchmark.json").read_text())["full_id"])


def _estimate(estimates: Path) -> float:
    """NaN where there is none: Criterion writes what is no number (a division by no iterations) as null."""
    data = json.loads(estimates.read_text())
    said = [data[name]["point_estimate"] for name in ("slope", "mean") if data.get(name)]
    return next((float(value) for value in said if value is not None), math.nan)
