"""What the files of an experiment hold, as frozen dataclasses. Nothing here is worded or drawn."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fuselab.records.profile import Profile
from fuselab.records.run import RunRecord


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
    tries: int = 1
    failures: tuple[Mapping[str, str], ...] = ()
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
class Run:
    record: RunRecord
    folder: Path
