"""The verdicts without the page, in the same words: `summary.md` for a pull request, `summary.json` for scripts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import msgspec

from fuselab.files import write_atomically
from fuselab.records.run import Environment
from fuselab.report import counts, words
from fuselab.report.inputs import ReportInputs
from fuselab.report.page import provenance, verdicts
from fuselab.report.reading import Results
from fuselab.report.records import Comparison


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
    """summary.json."""

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


def summarise(results: Results) -> Summary:
    plan = results.plan
    blocks = [block for found in results.blocks.values() for block in found]
    count, voided = counts.block_counts(tuple(blocks))
    first, last = provenance.when(results)
    rows = sorted(verdicts.primary_rows(results), key=lambda row: verdicts.is_control(plan, row))
    return Summary(
        experiment=plan.experiment,
        title=plan.title,
        measured_first=first,
        measured_last=last,
        machines=tuple(provenance.hosts(results)),
        threshold=plan.threshold,
        blocks=count,
        voided=voided,
        alarms=verdicts.alarms(results),
        comparisons=tuple(_row(results, row) for row in rows),
        variants=_variants(results),
        hardware=tuple(text for text in provenance.hardware(_environments(results)).values() if text),
    )


def _environments(results: Results) -> list[Environment]:
    return [run.record.environment for run in results.runs if run.record.environment is not None]


def _variants(results: Results) -> tuple[SummaryVariant, ...]:
    builds = {f"{build.target}/{build.build}": build for build in results.builds}
    programs = {run.record.variant: run.record.binary_sha256 or "" for run in results.runs}
    found = []
    for variant in results.plan.variants:
        folder = variant.builds.get("none", "")
        build = builds.get(folder)
        found.append(
            SummaryVariant(
                name=variant.name,
                build=folder,
                revision=(build.revision or "") if build else "",
                dirty=build.dirty if build else False,
                sha256=programs.get(variant.name, ""),
            )
        )
    return tuple(found)


def write_summary(inputs: ReportInputs, markdown: Path, json: Path) -> None:
    """Write both files."""
    summary = summarise(Results(inputs))
    write_atomically(json, msgspec.json.format(msgspec.json.encode(summary), indent=2) + b"\n")
    write_atomically(markdown, summary_markdown(summary))


def summary_markdown(summary: Summary) -> str:
    from fuselab.report.page.render import templates

    rows = [_cells(row) for row in summary.comparisons]
    return templates().get_template("summary.md.j2").render(summary=summary, rows=rows)


def _row(results: Results, row: Comparison) -> SummaryRow:
    return SummaryRow(
        workload=row.workload,
        baseline=row.baseline,
        variant=row.variant,
        metric=row.metric,
        unit=row.unit,
        better=row.better,
        verdict=row.verdict,
        ratio=_finite(row.ratio),
        ratio_low=_finite(row.low),
        ratio_high=_finite(row.high),
        level=row.level,
        blocks=row.blocks,
        control=verdicts.is_control(results.plan, row),
        sentence=verdicts.sentence(row, results.plan.threshold) + ".",
    )


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _cells(row: SummaryRow) -> list[str]:
    interval = change = ""
    if row.ratio is not None and row.ratio_low is not None and row.ratio_high is not None:
        change = words.change_beside(row.ratio, row.ratio_high)
        interval = words.change_interval(row.ratio_low, row.ratio_high)
    names = [
        f"{row.variant} against {row.baseline}" + (" (control)" if row.control else ""),
        row.workload,
        row.metric,
    ]
    return [words.markdown(text) for text in [*names, change, interval, row.verdict, str(row.blocks)]]
