"""The files of an experiment, each parsed once, when it is first asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from fuselab.files import read_json
from fuselab.records.block import BlockRecord, read_block
from fuselab.records.build import BuildRecord
from fuselab.records.comparison import Comparison, CostComparison
from fuselab.records.derived import AccountWords, DifferenceNote, QueryAnswer
from fuselab.records.metrics import Sample
from fuselab.records.places import DIFF_FLAMEGRAPH, MOVERS
from fuselab.records.plan import PlanFile, Verifying
from fuselab.records.profile import Profile, Scale
from fuselab.records.run import RunRecord
from fuselab.records.table import read_rows
from fuselab.records.verified import Verified, verified_runs
from fuselab.records.work import Work
from fuselab.report.inputs import ReportInputs


@dataclass(frozen=True)
class Diff:
    """diff.json and the folder it lies in."""

    folder: Path
    note: str = ""
    scale: Scale = "as it is"

    @property
    def picture(self) -> Path:
        """There unless a side has no stack."""
        return self.folder / DIFF_FLAMEGRAPH

    @property
    def movers(self) -> Path:
        """There unless a side has no profile."""
        return self.folder / MOVERS


@dataclass(frozen=True)
class Processed:
    """profile.json and the folder it lies in."""

    folder: Path
    profile: Profile


@dataclass(frozen=True)
class Run:
    record: RunRecord
    folder: Path


class Results:
    """What `inputs` names, each file read when it is first asked for."""

    def __init__(self, inputs: ReportInputs) -> None:
        self.inputs = inputs
        self.plan: PlanFile = inputs.plan

    @cached_property
    def comparisons(self) -> tuple[Comparison, ...]:
        return read_rows(self.inputs.comparisons, Comparison)

    @cached_property
    def costs(self) -> tuple[CostComparison, ...]:
        return read_rows(self.inputs.costs, CostComparison) if self.inputs.costs else ()

    @cached_property
    def samples(self) -> tuple[Sample, ...]:
        return read_rows(self.inputs.metrics, Sample)

    @cached_property
    def blocks(self) -> Mapping[str, tuple[BlockRecord, ...]]:
        """By workload."""
        found: dict[str, list[BlockRecord]] = {}
        for block in (read_block(path.parent) for path in self.inputs.blocks):
            found.setdefault(block.workload, []).append(block)
        return {workload: tuple(blocks) for workload, blocks in found.items()}

    @cached_property
    def verifies(self) -> Mapping[Verifying, Verified]:
        return verified_runs((path.parent for path in self.inputs.verifies), self.plan.verified)

    @cached_property
    def profiles(self) -> Mapping[tuple[str, str, str], Processed]:
        """By (variant, workload, profiler), from the folders' names."""
        found = {}
        for path in self.inputs.profiles:
            variant, workload, profiler = path.parts[-4:-1]
            found[variant, workload, profiler] = Processed(path.parent, read_json(path, Profile))
        return found

    @cached_property
    def diffs(self) -> Mapping[tuple[str, str, str], Diff]:
        """By (`<variant>-vs-<baseline>`, workload, profiler)."""
        found = {}
        for path in self.inputs.diffs:
            contrast, workload, profiler = path.parts[-4:-1]
            found[contrast, workload, profiler] = Diff(path.parent, **vars(read_json(path, DifferenceNote)))
        return found

    @cached_property
    def builds(self) -> tuple[BuildRecord, ...]:
        return tuple(read_json(path, BuildRecord) for path in self.inputs.builds)

    @cached_property
    def timed_builds(self) -> Mapping[str, BuildRecord]:
        """By variant, of those whose program was built here."""
        builds = {f"{build.target}/{build.build}": build for build in self.builds}
        return {v.name: builds[v.timed_build] for v in self.plan.variants if v.timed_build in builds}

    @cached_property
    def runs(self) -> tuple[Run, ...]:
        return tuple(Run(read_json(path, RunRecord), path.parent) for path in self.inputs.runs())

    @cached_property
    def works(self) -> Mapping[str, tuple[Work, ...]]:
        """By workload: what its runs of fixed work have counted."""
        found: dict[str, list[Work]] = {}
        for path in self.inputs.works():
            found.setdefault(path.parts[-5], []).append(read_json(path, Work))
        return {workload: tuple(works) for workload, works in found.items()}

    @cached_property
    def queries(self) -> Mapping[tuple[str, str], tuple[QueryAnswer, ...]]:
        """By (variant, workload)."""
        return {
            (path.parts[-3], path.parts[-2]): read_json(path, tuple[QueryAnswer, ...])
            for path in self.inputs.queries
        }

    @cached_property
    def blindspots(self) -> Mapping[tuple[str, str], tuple[Path, AccountWords]]:
        """By (variant, workload): the table's path, and what was said about it."""
        found = {}
        for path in self.inputs.blindspots:
            note = path.with_suffix(".json")
            said = read_json(note, AccountWords) if note.is_file() else AccountWords()
            found[path.parts[-3], path.parts[-2]] = (path, said)
        return found
