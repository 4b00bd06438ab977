"""`summary.json`: the primary verdicts of an experiment, for scripts, for the overview and for its history."""

from __future__ import annotations

from dataclasses import dataclass

from fuselab.records.comparison import BROKEN


@dataclass(frozen=True)
class SummaryRow:
    """One primary comparison. Ratios are variant / baseline; null where there is none."""

    workload: str
    baseline: str
    variant: str
    metric: str
    unit: str
    better: str
    verdict: str
    ratio: float | None
    ratio_low: float | None
    ratio_high: float | None
    level: float | None
    blocks: int
    control: bool
    sentence: str
    typical_baseline: float | None = None
    """Median run of the baseline, in `unit`; a summary of before it was kept has none."""
    typical: float | None = None
    """Median run of the variant."""
    accepted: str = ""
    """Why a change for the worse alarms nobody, and until when; empty where it would, or is over."""


@dataclass(frozen=True)
class SummaryGuard:
    """One guard in one contrast under one load. Ratios are variant / baseline; null where there is none."""

    workload: str
    baseline: str
    variant: str
    metric: str
    better: str
    limit: float
    """By how much it may be worse, as a fraction."""
    outcome: str
    """holds, broken or could not tell."""
    ratio: float | None
    bound: float | None
    """One-sided, at `level`: at least this if broken, else at most; null of counts that repeat."""
    level: float | None
    verdict: str
    sentence: str
    accepted: str = ""
    """As that of a row."""

    @property
    def broken(self) -> bool:
        """Whether it is, and nobody has accepted that."""
        return self.outcome == BROKEN and not self.accepted


@dataclass(frozen=True)
class SummaryVariant:
    """What ran as this variant in timed runs; empty where there is nothing of the kind (a bare directory)."""

    name: str
    build: str = ""
    """`<target>/<build>`; empty for an installed program."""
    revision: str = ""
    """The commit it was compiled from."""
    dirty: bool = False
    sha256: str = ""
    """Of the program."""


@dataclass(frozen=True)
class Summary:
    """summary.json: the verdicts of an experiment without its page, in the same words."""

    experiment: str
    title: str
    measured_first: str
    """UTC, `YYYY-MM-DD HH:MM`; empty without runs."""
    measured_last: str
    machines: tuple[str, ...]
    threshold: float
    blocks: int
    voided: int
    alarms: tuple[str, ...]
    comparisons: tuple[SummaryRow, ...]
    variants: tuple[SummaryVariant, ...] = ()
    """In the plan's order; a summary of before they were kept has none."""
    found: tuple[str, ...] = ()
    """In sentences: what operations of a variant cost more or less of, beside its verdict."""
    work: tuple[SummaryRow, ...] = ()
    """Counters that differ, of runs of fixed work, the largest change first."""
    guards: tuple[SummaryGuard, ...] = ()
    """In the order of the experiment; none where it states none."""
    hardware: tuple[str, ...] = ()
    """Processors and memory of the machines, as far as their kernels tell."""
    failures: tuple[str, ...] = ()
    """In sentences: runs that variants did not complete which nothing is compared with, so that no verdict says it."""
