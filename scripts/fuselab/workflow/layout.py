"""What an experiment has below `results/`: what the rules name as inputs. Holds no logic of jobs."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from fuselab.code import measuring_code
from fuselab.compare.schedule import LOOKS
from fuselab.errors import UnreadableError
from fuselab.experiment.design import design_of
from fuselab.experiment.fixed_work import WORK_BLOCKS
from fuselab.experiment.plan import NONE, Plan
from fuselab.files import read_json
from fuselab.measuring.aside import Group
from fuselab.queries.catalogue import whole_tables
from fuselab.records.look import Look
from fuselab.records.places import Home, Results, numbered

COST_BLOCKS = 8
"""Blocks that measure what profiling costs: two more than an interval needs."""


@dataclass(frozen=True, eq=False)
class Layout:
    """Paths are relative to the repository. A cell is a variant under a workload.

    What thousands of jobs ask for alike is put together once: with 10,000 blocks Snakemake asks 30,000 times.
    """

    plan: Plan

    @cached_property
    def home(self) -> Home:
        return Results().experiment(self.plan.experiment.name)

    @property
    def _variants(self) -> list[str]:
        return [variant.name for variant in self.plan.experiment.variants]

    def builds(self, variants: list[str], profilers: str = NONE, workload: str | None = None) -> list[str]:
        """Folders of the builds that `variants` run, under `workload` if that matters."""
        run = (self.plan.mount(variant, profilers, workload or "") for variant in variants)
        return _builds({mount.build for mount in run if mount.build})

    @cache  # noqa: B019  as long as Snakemake lives
    def timed_builds(self, workload: str) -> list[str]:
        return self.builds(self._variants, workload=workload)

    def profiled_builds(self, variant: str, workload: str, profiler: str) -> list[str]:
        capture = self.plan.capture_of(variant, workload, profiler)
        return self.builds([variant], capture.profiler, workload)

    def profiled_binary(self, variant: str, workload: str, profiler: str) -> str:
        """The program that was looked at."""
        load = self.plan.experiment.workload(workload)
        if load.looks_at == "command":
            return shutil.which(load.program) or load.program
        capture = self.plan.capture_of(variant, workload, profiler)
        return self.plan.mount(variant, capture.profiler, workload).binary

    @property
    def cost_builds(self) -> list[str]:
        return _builds({m.build for m in self.plan.cost_mounts.values() if m.build})

    @property
    def all_builds(self) -> list[str]:
        return _builds(self.plan.all_builds)

    @property
    def mounts(self) -> list[str]:
        return [str(self.home.mount(*mount)) for mount in self.plan.mounts]

    @property
    def jobs(self) -> list[str]:
        return [str(self.home.load(load)) for load in self.plan.jobs]

    @cache  # noqa: B019
    def verified(self, variant: str | None = None, workload: str | None = None) -> list[str]:
        """Folders of the verifying runs: of all variants or of one, as they are mounted anywhere or under one load."""
        runs = [run for run in self.plan.verifying if variant in (None, run.variant)]
        here = [run for run in runs if workload is None or workload in run.workloads]
        return [str(self.home.verified(run.variant, run.spec)) for run in here]

    def blocks(self, checkpoints: Any = None) -> list[str]:
        """Folders of the timed blocks, as many as the looks have asked for so far.

        `checkpoints` is Snakemake's: asking it for a look that has not been taken makes Snakemake take it first.
        """
        folders = []
        for workload in self.plan.experiment.workloads:
            spec, count = self.plan.timed_spec(workload.name), self.plan.block_count
            while self.plan.experiment.blocks == "auto" and checkpoints is not None and count < LOOKS[-1]:
                look = checkpoints.look.get(
                    experiment=self.plan.experiment.name,
                    workload=workload.name,
                    spec=spec,
                    number=numbered(count),
                )
                wanted = _wanted(Path(look.output[0]))
                if wanted is None:
                    break
                count = wanted
            folders += _numbered(self.home.blocks(workload.name, spec), count)
        return folders

    def first_blocks(self, workload: str, number: str) -> list[str]:
        """Folders of the blocks that the look after block `number` is taken at: of all points of a curve."""
        names = design_of(self.plan.experiment).measured_with(workload)
        folders = [self.home.blocks(name, self.plan.timed_spec(name)) for name in names]
        return [block for folder in folders for block in _numbered(folder, int(number))]

    @property
    def cost_folders(self) -> dict[str, Path]:
        """By workload: the folder of the blocks that measure what profiling costs, if the experiment asks for them."""
        if len(self.plan.cost_mounts) < 2:
            return {}
        mounted = [w.name for w in self.plan.experiment.workloads if w.costed]
        return {name: self.home.cost_blocks(name, self.plan.cost_spec(name)) for name in mounted}

    @property
    def cost_blocks(self) -> list[str]:
        return [block for folder in self.cost_folders.values() for block in _numbered(folder, COST_BLOCKS)]

    @property
    def work_folders(self) -> dict[str, Path]:
        """By workload: the folder of the blocks of fixed work, of those that are counted."""
        return {
            name: self.home.work_blocks(name, self.plan.work_spec(name)) for name in self.plan.work.workloads
        }

    @property
    def work_blocks(self) -> list[str]:
        return [block for folder in self.work_folders.values() for block in _numbered(folder, WORK_BLOCKS)]

    def finished(self) -> list[str]:
        """Folders of all that may be measured or built by now, also of blocks beyond the first look."""
        compared = [folder for group in self.groups() for folder in group.folders]
        return [*self.all_builds, *self.verified(), *compared]

    def groups(self) -> list[Group]:
        """What is compared, and so has to be measured by one code of fuselab."""
        timed = []
        for w in self.plan.experiment.workloads:
            spec, count = self.plan.timed_spec(w.name), self.plan.block_count
            there = LOOKS[-1] if self.plan.experiment.blocks == "auto" else count
            folders = _numbered(self.home.blocks(w.name, spec), there)
            timed.append(Group(tuple(folders), tuple(folders[:count]), measuring_code("timed")))
        captured: dict[tuple[str, str], list[str]] = {}
        for c in self.plan.captures:
            folders = self.captures(c.variant, c.workload, c.profilers[0])
            captured.setdefault((c.workload, c.profiler), []).extend(folders)
        made = [*captured.values(), self.cost_blocks]
        looked = [Group(tuple(f), tuple(f), measuring_code("capture")) for f in made if f]
        works = [tuple(_numbered(folder, WORK_BLOCKS)) for folder in self.work_folders.values()]
        return [*timed, *looked, *(Group(f, f, measuring_code("work")) for f in works)]

    @property
    def costs(self) -> list[str]:
        """costs.csv, if the experiment asks for it."""
        return [str(self.home.costs)] if self.cost_blocks else []

    def captures(self, variant: str, workload: str, profiler: str) -> list[str]:
        """Folders of every capture that `profiler` took part in."""
        capture = self.plan.capture_of(variant, workload, profiler)
        return _numbered(
            self.home.captures(variant, workload, capture.profiler, capture.spec), capture.repeats
        )

    @property
    def processed(self) -> list[str]:
        return [str(self.home.processed(*of)) for of in self.plan.processed()]

    def processed_cell(self, variant: str, workload: str) -> list[str]:
        mine = (of for of in self.plan.processed() if of[:2] == (variant, workload))
        return [str(self.home.processed(*of)) for of in mine]

    @property
    def queries(self) -> list[str]:
        """Answers of every cell that has something to ask and to be asked of."""
        asks = bool(self.plan.experiment.queries)
        cells = self._cells
        if self.queried_tables:  # which are there without any profiler
            cells = [(v, w.name) for v in self._variants for w in self.plan.experiment.workloads]
        return [str(self.home.queries(*c)) for c in cells if asks or self.plan.has_spans(*c)]

    @property
    def queried_tables(self) -> list[str]:
        """metrics.csv and comparisons.csv, if a query of the experiment reads them."""
        return [str(self.home.folder / name) for name in whole_tables(self.plan.experiment.queries)]

    @property
    def blindspots(self) -> list[str]:
        """Accounts of every cell that has one."""
        return [str(self.home.blindspots(*c)) for c in self._cells if self.plan.has_account(*c)]

    @property
    def _cells(self) -> list[tuple[str, str]]:
        return sorted({(variant, workload) for variant, workload, _ in self.plan.processed()})

    @property
    def diffs(self) -> list[str]:
        return [str(self.home.diff(c.variant, c.baseline, *of)) for c, *of in self.plan.diffs()]


def _builds(folders: Iterable[str]) -> list[str]:
    return sorted(str(Results().build(folder)) for folder in folders)


def _numbered(folder: Path, count: int) -> list[str]:
    """Of measurements from 1 to `count`."""
    return [f"{folder}/{numbered(number)}" for number in range(1, count + 1)]


def _wanted(look: Path) -> int | None:
    """How many blocks a look asks for. Ends Snakemake if its file cannot be read."""
    try:
        return read_json(look, Look).next
    except UnreadableError:
        raise SystemExit(
            f"\n{look} is no longer what a look leaves: delete it, and it is made again"
        ) from None


def holders(folders: list[str]) -> list[str]:
    """The folders that hold `folders`: inputs of what is derived from them, so that what is deleted is made again.

    Snakemake does not look for what is missing between its targets and files that are up to date; but deleting an
    entry of a folder makes the folder newer than what was derived. They are made here, because nothing else makes
    them before the first measurement, and an input that comes later would be a change.
    """
    parents = sorted({str(Path(folder).parent) for folder in folders})
    for parent in parents:
        try:
            Path(parent).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            # SystemExit and not an exception: Snakemake would wrap it in a traceback.
            raise SystemExit(
                f"\nthe folder {parent} cannot be made ({error.strerror}): make `results` a folder that may be written"
            ) from None
    return parents
