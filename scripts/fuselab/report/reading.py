"""The files of an experiment, each parsed once, when it is first asked for."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path

from fuselab.building.build import BuildRecord
from fuselab.files import read_json
from fuselab.records.derived import AccountWords, DifferenceNote, QueryAnswer
from fuselab.records.profile import Profile
from fuselab.records.run import RunRecord
from fuselab.report.inputs import ReportInputs
from fuselab.report.plan import PlanFile
from fuselab.report.records import (
    Block,
    Comparison,
    Diff,
    Processed,
    Run,
    Sample,
    Verify,
)

CONTRACT_COLUMNS = (
    "experiment",
    "workload",
    "baseline",
    "variant",
    "metric",
    "unit",
    "better",
    "blocks",
    "ratio",
    "ratio_low",
    "ratio_high",
    "verdict",
)


class Results:
    """What `inputs` names, each file read when it is first asked for."""

    def __init__(self, inputs: ReportInputs) -> None:
        self.inputs = inputs
        self.plan: PlanFile = inputs.plan

    @cached_property
    def comparisons(self) -> tuple[Comparison, ...]:
        return read_comparisons(self.inputs.comparisons)

    @cached_property
    def costs(self) -> tuple[Comparison, ...]:
        return read_comparisons(self.inputs.costs) if self.inputs.costs else ()

    @cached_property
    def samples(self) -> tuple[Sample, ...]:
        with self.inputs.metrics.open(newline="") as file:
            return tuple(
                Sample(
                    r["workload"], int(r["block"]), r["variant"], r["metric"], r["unit"], _float(r["value"])
                )
                for r in csv.DictReader(file)
            )

    @cached_property
    def blocks(self) -> Mapping[str, tuple[Block, ...]]:
        """By workload, which is the name of the folder two above the block's own."""
        found: dict[str, list[Block]] = {}
        for path in self.inputs.blocks:
            found.setdefault(path.parents[2].name, []).append(read_json(path, Block))
        return {workload: tuple(blocks) for workload, blocks in found.items()}

    @cached_property
    def verifies(self) -> Mapping[str, Verify]:
        verifies = [read_json(path, Verify) for path in self.inputs.verifies]
        return {verify.variant: verify for verify in verifies}

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
            found[contrast, workload, profiler] = Diff(path.parent, read_json(path, DifferenceNote).note)
        return found

    @cached_property
    def builds(self) -> tuple[BuildRecord, ...]:
        return tuple(read_json(path, BuildRecord) for path in self.inputs.builds)

    @cached_property
    def runs(self) -> tuple[Run, ...]:
        return tuple(Run(read_json(path, RunRecord), path.parent) for path in self.inputs.runs())

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


def read_comparisons(path: Path) -> tuple[Comparison, ...]:
    with path.open(newline="") as file:
        return parse_comparisons(file)


def parse_comparisons(lines: Iterable[str]) -> tuple[Comparison, ...]:
    """Every row of a comparisons.csv, with columns that this report does not know kept as text."""
    return tuple(_comparison(row) for row in csv.DictReader(lines))


def _comparison(row: dict[str, str]) -> Comparison:
    known = {*CONTRACT_COLUMNS, "level", "family", "note"}
    level = _float(row.get("level", ""))
    return Comparison(
        workload=row["workload"],
        baseline=row["baseline"],
        variant=row["variant"],
        metric=row["metric"],
        unit=row["unit"],
        better=row["better"],
        blocks=int(_float(row["blocks"]) if row["blocks"] else 0),
        ratio=_float(row["ratio"]),
        low=_float(row["ratio_low"]),
        high=_float(row["ratio_high"]),
        verdict=row["verdict"],
        level=level if math.isfinite(level) else None,
        family=row.get("family", "") or "",
        note=row.get("note", "") or "",
        extras={name: value for name, value in row.items() if name not in known and value is not None},
    )


def _float(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
