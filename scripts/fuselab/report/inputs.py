"""The files that a report is made of, and the folders that hold them.

What the report reads of each (all below `results/<experiment>/`):

- `comparisons.csv` may add `level`, `p`, `p_adjusted`, `family` (primary, exploratory, control), `mean_ratio`,
  `max_ratio`, `stall_rate`, `note`; whatever else it has is shown in the full table under its own name.
- `costs.csv`: the columns of comparisons.csv and `profiler`, `step` (`compiled in` or `switched on`).
- `processed/<variant>/<workload>/blindspots.parquet` (or `.csv`): one row per span name, its times
  as `target`, `name`, `calls`, `wall_ns`, `poll_ns`, `oncpu_ns`, `blocked_ns`, `preempted_ns`, `idle_ns`,
  `awaiting_ns`, `unexplained_ns`; beside it `blindspots.json` with `headline` and `notes`.
- `processed/<variant>/<workload>/queries.json`: `[{title, sql, columns, rows, error}]`.
- Tables name the unit of a column in its last word: `_ns`, `_us`, `_s`, `_bytes`, `_share`.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from fuselab.report.plan import PlanFile, read_plan


@dataclass(frozen=True)
class ReportInputs:
    """Everything a report reads. A file that is named but absent is an error; one not named is a thing not done."""

    results: Path
    """The folder `results/`."""
    experiment: Path
    """The YAML file."""
    plan_file: Path
    comparisons: Path
    metrics: Path
    blocks: tuple[Path, ...] = ()
    """block.json of each block, in order."""
    verifies: tuple[Path, ...] = ()
    """verify.json of each variant."""
    profiles: tuple[Path, ...] = ()
    """profile.json of each (variant, workload, profiler)."""
    diffs: tuple[Path, ...] = ()
    """diff.json of each (contrast, workload, profiler)."""
    builds: tuple[Path, ...] = ()
    """build.json of each build."""
    blindspots: tuple[Path, ...] = ()
    queries: tuple[Path, ...] = ()
    costs: Path | None = None

    @cached_property
    def plan(self) -> PlanFile:
        return read_plan(self.plan_file)

    @property
    def folder(self) -> Path:
        """`results/<experiment>`."""
        return self.plan_file.parent

    def runs(self) -> Iterator[Path]:
        """run.json of every timed run that is part of a block."""
        for block in self.blocks:
            for variant in self.plan.names():
                run = block.parent / variant / "run.json"
                if run.is_file():
                    yield run


def find(results: Path, experiment: Path, name: str) -> ReportInputs:
    """The inputs of experiment `name` that are there now, by what its plan.json names."""
    folder = results / name
    plan = read_plan(folder / "plan.json")
    counted = _counted(folder / "metrics.csv")
    blocks = [
        path
        for workload in plan.workloads
        for path in sorted((folder / "blocks" / workload.name / workload.spec).glob("*/block.json"))
        if workload.name not in counted or int(path.parent.name) in counted[workload.name]
    ]
    verifies = [
        folder / "verify" / v.name / v.verify_spec / "verify.json" for v in plan.variants if v.verify_spec
    ]
    sides = [(v.name, w.name) for v in plan.variants for w in plan.workloads]
    profilers = [p.name for p in plan.profilers]
    cells = [folder / "processed" / variant / workload for variant, workload in sides]
    profiles = [cell / profiler / "profile.json" for profiler in profilers for cell in cells]
    diffs = [
        folder / "diffs" / f"{c.variant}-vs-{c.baseline}" / w.name / profiler / "diff.json"
        for profiler in profilers
        for c in plan.contrasts
        for w in plan.workloads
    ]
    mounted = (build for variant in plan.variants for build in variant.builds.values())
    builds = dict.fromkeys((*mounted, *plan.builds))  # a plan.json of before has those of the mounts alone
    costs = folder / "costs.csv"
    return ReportInputs(
        results=results,
        experiment=experiment,
        plan_file=folder / "plan.json",
        comparisons=folder / "comparisons.csv",
        metrics=folder / "metrics.csv",
        blocks=tuple(blocks),
        verifies=_present(verifies),
        profiles=_present(profiles),
        diffs=_present(diffs),
        builds=_present([results / "builds" / build / "build.json" for build in builds]),
        blindspots=_present(
            [cell / name for cell in cells for name in ("blindspots.parquet", "blindspots.csv")]
        ),
        queries=_present([cell / "queries.json" for cell in cells]),
        costs=costs if costs.is_file() else None,
    )


def _counted(metrics: Path) -> dict[str, set[int]]:
    """The blocks that were judged, by workload: others may lie beside them from an earlier, longer plan."""
    found: dict[str, set[int]] = {}
    if metrics.is_file():
        with metrics.open(newline="") as file:
            for row in csv.DictReader(file):
                found.setdefault(row["workload"], set()).add(int(float(row["block"])))
    return found


def _present(paths: list[Path]) -> tuple[Path, ...]:
    return tuple(path for path in paths if path.is_file())
