"""The files that a report is made of: those that its rule was given, or those that an earlier plan.json names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from fuselab.experiment.fixed_work import WORK_BLOCKS
from fuselab.records.metrics import Sample
from fuselab.records.places import BLOCK, BUILD, DIFF, PROFILE, RUN, VERIFY, WORK, Home, Results, numbered
from fuselab.records.plan import PlanFile, read_plan
from fuselab.records.table import read_rows


@dataclass(frozen=True)
class ReportInputs:
    """Everything a report reads. A file that is named but absent is an error; one not named is a thing not done."""

    experiment: Path
    """The YAML file."""
    plan_file: Path
    comparisons: Path
    metrics: Path
    blocks: tuple[Path, ...] = ()
    """block.json of each block, in order."""
    verifies: tuple[Path, ...] = ()
    """verify.json of each verifying run."""
    profiles: tuple[Path, ...] = ()
    """profile.json of each (variant, workload, profiler)."""
    diffs: tuple[Path, ...] = ()
    """diff.json of each (contrast, workload, profiler)."""
    builds: tuple[Path, ...] = ()
    """build.json of each build."""
    blindspots: tuple[Path, ...] = ()
    """Where the time is, a table of each (variant, workload); its words lie beside it."""
    queries: tuple[Path, ...] = ()
    costs: Path | None = None
    work_blocks: tuple[Path, ...] = ()
    """block.json of each block of fixed work."""

    @cached_property
    def plan(self) -> PlanFile:
        return read_plan(self.plan_file)

    @property
    def folder(self) -> Path:
        """`results/<experiment>`."""
        return self.plan_file.parent

    def runs(self) -> Iterator[Path]:
        """run.json of every timed run that is part of a block."""
        runs = (block.parent / name / RUN for block in self.blocks for name in self.plan.names())
        return filter(Path.is_file, runs)

    def works(self) -> Iterator[Path]:
        """work.json of every run of fixed work."""
        works = (block.parent / name / WORK for block in self.work_blocks for name in self.plan.names())
        return filter(Path.is_file, works)


def given(inputs: Any, experiment: Path) -> ReportInputs:
    """Of a step: `inputs` are what Snakemake gives to a rule with PAGE of rules/report.smk, `experiment` its YAML."""
    made = {Path(path) for path in inputs}
    return _named(Path(inputs.plan), experiment, lambda path: path in made or path.parent in made)


def find(results: Path, experiment: Path, name: str) -> ReportInputs:
    """Of an experiment that was reported before, as far as its files are still there. `experiment` is its YAML."""
    return _named(Home(results / name).plan, experiment, Path.is_file)


def _named(plan_file: Path, experiment: Path, there: Callable[[Path], bool]) -> ReportInputs:
    """What plan.json names, in its order, as far as it is `there`."""

    def those(paths: Iterable[Path]) -> tuple[Path, ...]:
        return tuple(filter(there, paths))

    home, plan = Home(plan_file.parent), read_plan(plan_file)
    cells = [(v.name, w.name) for v in plan.variants for w in plan.workloads]
    profilers = [p.name for p in plan.profilers]
    mounted = (build for variant in plan.variants for build in variant.builds.values())
    builds = dict.fromkeys((*mounted, *plan.builds))  # a plan.json of before has those of the mounts alone
    return ReportInputs(
        experiment=experiment,
        plan_file=plan_file,
        comparisons=home.comparisons,
        metrics=home.metrics,
        blocks=those(
            home.block(w.name, w.spec, numbered(number)) / BLOCK
            for w in plan.workloads
            for number in range(1, _blocks(plan, w.name, home.metrics) + 1)
        ),
        verifies=those(home.verified(run.variant, run.spec) / VERIFY for run in plan.verified),
        profiles=those(home.processed(*cell, p) / PROFILE for p in profilers for cell in cells),
        diffs=those(
            home.diff(c.variant, c.baseline, w.name, p) / DIFF
            for p in profilers
            for c in plan.contrasts
            for w in plan.workloads
        ),
        builds=those(Results(home.folder.parents[1]).build(build) / BUILD for build in builds),
        blindspots=those(home.blindspots(*cell) for cell in cells),
        queries=those(home.queries(*cell) for cell in cells),
        costs=next(iter(those([home.costs])), None),
        work_blocks=those(
            home.work_block(w.name, w.work_spec, numbered(number)) / BLOCK
            for w in plan.workloads
            if w.work_spec
            for number in range(1, WORK_BLOCKS + 1)
        ),
    )


def _blocks(plan: PlanFile, workload: str, metrics: Path) -> int:
    """How many there are: with `blocks: auto`, as many as the looks asked for, whose figures are in metrics.csv."""
    if isinstance(plan.blocks, int):
        return plan.blocks
    return max((row.block for row in read_rows(metrics, Sample) if row.workload == workload), default=0)
