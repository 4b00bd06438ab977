"""`summary.json`: the primary verdicts of an experiment, for scripts, for the overview and for its history."""

from __future__ import annotations

from dataclasses import dataclass


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
    hardware: tuple[str, ...] = ()
    """Processors and memory of the machines, as far as their kernels tell."""
