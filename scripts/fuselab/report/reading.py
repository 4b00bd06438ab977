"""The files of an experiment, parsed once into frozen dataclasses. Nothing here is worded or drawn."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import msgspec

from fuselab.profilers.base import Profile
from fuselab.report.inputs import ReportInputs
from fuselab.report.plan import PlanFile
from fuselab.rig.record import RunRecord
from fuselab.target.build import BuildRecord

T = TypeVar("T")

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


@dataclass(frozen=True)
class Comparison:
    """One row of comparisons.csv (or costs.csv). Ratios are variant / baseline; NaN where there is none."""

    workload: str
    baseline: str
    variant: str
    metric: str
    unit: str
    better: str
    blocks: int
    ratio: float
    low: float
    high: float
    verdict: str
    level: float | None = None
    family: str = ""
    note: str = ""
    extras: Mapping[str, str] = field(default_factory=dict)
    """Every other column, by its name."""

    @property
    def word(self) -> str:
        """The verdict without what is added to it: `slower`, `no difference shown`, ..."""
        known = ("faster", "slower", "no difference shown", "inconclusive", "failed")
        return next((word for word in known if self.verdict.startswith(word)), self.verdict)

    @property
    def has_interval(self) -> bool:
        return math.isfinite(self.low) and math.isfinite(self.high) and math.isfinite(self.ratio)

    @property
    def excludes_no_change(self) -> bool:
        return self.has_interval and not self.low <= 1 <= self.high


@dataclass(frozen=True)
class Sample:
    """One row of metrics.csv."""

    workload: str
    block: int
    variant: str
    metric: str
    unit: str
    value: float


@dataclass(frozen=True)
class VariantState:
    status: str = "ok"
    reason: str | None = None


@dataclass(frozen=True)
class Voided:
    attempt: int
    variant: str
    reason: str
    cause: str = ""
    """`environment` or `target`: whether the machine was too busy, or the run did not complete."""


@dataclass(frozen=True)
class Block:
    """block.json."""

    block: int
    order: tuple[str, ...] = ()
    randseed: int | None = None
    variants: Mapping[str, VariantState] = field(default_factory=dict)
    attempts: int = 1
    voided: tuple[Voided, ...] = ()
    noisy: bool = False
    """Kept although the machine never was quiet enough."""


@dataclass(frozen=True)
class Verify:
    """verify.json."""

    variant: str
    status: str
    reason: str | None = None
    log_tail: str | list[str] | None = None

    @property
    def log(self) -> str:
        return "\n".join(self.log_tail) if isinstance(self.log_tail, list) else self.log_tail or ""


@dataclass(frozen=True)
class Diff:
    """diff.json and the folder it lies in."""

    folder: Path
    note: str = ""

    @property
    def picture(self) -> Path | None:
        path = self.folder / "diff.svg"
        return path if path.is_file() else None

    @property
    def movers(self) -> Path | None:
        path = self.folder / "movers.csv"
        return path if path.is_file() else None


@dataclass(frozen=True)
class Processed:
    """profile.json and the folder it lies in."""

    folder: Path
    profile: Profile


@dataclass(frozen=True)
class Query:
    """The answer to one query for one variant and workload."""

    title: str
    sql: str
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[object, ...], ...] = ()
    error: str | None = None


@dataclass(frozen=True)
class BlindSpotNote:
    """blindspots.json."""

    headline: str = ""
    notes: tuple[str, ...] = ()


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
        return read_comparisons(self.inputs.comparisons)

    @cached_property
    def costs(self) -> tuple[Comparison, ...]:
        return read_comparisons(self.inputs.costs) if self.inputs.costs else ()

    @cached_property
    def samples(self) -> tuple[Sample, ...]:
        with self.inputs.metrics.open(newline="") as file:
            return tuple(
                Sample(r["workload"], int(r["block"]), r["variant"], r["metric"], r["unit"], _float(r["value"]))
                for r in csv.DictReader(file)
            )

    @cached_property
    def blocks(self) -> Mapping[str, tuple[Block, ...]]:
        """By workload, which is the name of the folder two above the block's own."""
        found: dict[str, list[Block]] = {}
        for path in self.inputs.blocks:
            found.setdefault(path.parents[2].name, []).append(_decode(path, Block))
        return {workload: tuple(blocks) for workload, blocks in found.items()}

    @cached_property
    def verifies(self) -> Mapping[str, Verify]:
        verifies = [_decode(path, Verify) for path in self.inputs.verifies]
        return {verify.variant: verify for verify in verifies}

    @cached_property
    def profiles(self) -> Mapping[tuple[str, str, str], Processed]:
        """By (variant, workload, profiler), from the folders' names."""
        found = {}
        for path in self.inputs.profiles:
            variant, workload, profiler = path.parts[-4:-1]
            found[variant, workload, profiler] = Processed(path.parent, _decode(path, Profile))
        return found

    @cached_property
    def diffs(self) -> Mapping[tuple[str, str, str], Diff]:
        """By (`<variant>-vs-<baseline>`, workload, profiler)."""
        found = {}
        for path in self.inputs.diffs:
            contrast, workload, profiler = path.parts[-4:-1]
            note = msgspec.json.decode(path.read_bytes()).get("note") or ""
            found[contrast, workload, profiler] = Diff(path.parent, str(note))
        return found

    @cached_property
    def builds(self) -> tuple[BuildRecord, ...]:
        return tuple(_decode(path, BuildRecord) for path in self.inputs.builds)

    @cached_property
    def runs(self) -> tuple[Run, ...]:
        return tuple(Run(_decode(path, RunRecord), path.parent) for path in self.inputs.runs())

    @cached_property
    def queries(self) -> Mapping[tuple[str, str], tuple[Query, ...]]:
        """By (variant, workload)."""
        return {
            (path.parts[-3], path.parts[-2]): msgspec.json.decode(path.read_bytes(), type=tuple[Query, ...])
            for path in self.inputs.queries
        }

    @cached_property
    def blindspots(self) -> Mapping[tuple[str, str], tuple[Path, BlindSpotNote]]:
        """By (variant, workload): the table's path, and what was said about it."""
        found = {}
        for path in self.inputs.blindspots:
            note = path.with_suffix(".json")
            said = _decode(note, BlindSpotNote) if note.is_file() else BlindSpotNote()
            found[path.parts[-3], path.parts[-2]] = (path, said)
        return found


def _decode(path: Path, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind, strict=False)
    except msgspec.MsgspecError as error:
        raise ValueError(f"{path}: {error}") from error


def read_comparisons(path: Path) -> tuple[Comparison, ...]:
    """Every row of comparisons.csv, with columns that this report does not know kept as text."""
    with path.open(newline="") as file:
        return tuple(_comparison(row) for row in csv.DictReader(file))


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
