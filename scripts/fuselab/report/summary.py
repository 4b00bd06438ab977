"""The verdicts without the page, in the same words: `summary.md` for a pull request, `summary.json` for scripts."""

from __future__ import annotations

from pathlib import Path

from fuselab.files import write_atomically, write_json
from fuselab.records.comparison import FAILED, HOLDS, SLOWER, Comparison
from fuselab.records.summary import Summary, SummaryGuard, SummaryRow, SummaryVariant
from fuselab.records.table import columns
from fuselab.report import counts, origin, words, work
from fuselab.report.inputs import ReportInputs
from fuselab.report.page import failures, guards, verdicts
from fuselab.report.reading import Results
from fuselab.report.templating import rendered


def summarise(results: Results) -> Summary:
    plan = results.plan
    blocks = [block for found in results.blocks.values() for block in found]
    count, voided = counts.block_counts(tuple(blocks))
    first, last = origin.when(results)
    return Summary(
        experiment=plan.experiment,
        title=plan.title,
        measured_first=first,
        measured_last=last,
        machines=tuple(origin.hosts(results)),
        threshold=plan.threshold,
        blocks=count,
        voided=voided,
        alarms=verdicts.alarms(results),
        comparisons=tuple(_row(results, row) for row in verdicts.primary_rows(results)),
        variants=_variants(results),
        found=verdicts.found_beside(results),
        work=tuple(_row(results, row) for row in work.counted(results) if row.differs),
        guards=tuple(_guard(results, row) for row in guards.rows(results)),
        hardware=tuple(text for text in origin.hardware(results).values() if text),
        failures=failures.uncompared(results),
    )


def _variants(results: Results) -> tuple[SummaryVariant, ...]:
    programs = {run.record.variant: run.record.binary_sha256 or "" for run in results.runs}
    builds = results.timed_builds
    return tuple(
        SummaryVariant(
            name=variant.name,
            build=variant.timed_build,
            revision=(build.revision or "") if (build := builds.get(variant.name)) else "",
            dirty=build.dirty if build else False,
            sha256=programs.get(variant.name, ""),
        )
        for variant in results.plan.variants
    )


def write_summary(inputs: ReportInputs, markdown: Path, json: Path) -> None:
    """Write both files."""
    summary = summarise(Results(inputs))
    write_json(json, summary)
    write_atomically(markdown, summary_markdown(summary))


def summary_markdown(summary: Summary) -> str:
    rows = [_cells(row) for row in summary.comparisons]
    return rendered("summary.md.j2", summary=summary, rows=rows)


def _row(results: Results, row: Comparison) -> SummaryRow:
    return SummaryRow(
        **{name: getattr(row, name) for name in _ALIKE},
        control=verdicts.is_control(results.plan, row),
        sentence=verdicts.sentence(row, results.plan.threshold) + ".",
        accepted=guards.accepted(results.plan, row) if row.word in (SLOWER, FAILED) else "",
    )


def _guard(results: Results, row: Comparison) -> SummaryGuard:
    assert row.guard is not None  # or it is none of `guards.rows`
    return SummaryGuard(
        **{name: getattr(row, name) for name in ("workload", "baseline", "variant", "metric", "better")},
        limit=row.guard,
        outcome=row.guard_outcome,
        ratio=row.ratio,
        bound=row.guard_bound,
        level=row.level,
        verdict=row.verdict,
        sentence=guards.sentence(results, row),
        accepted=guards.accepted(results.plan, row) if row.guard_outcome != HOLDS else "",
    )


_ALIKE = {*columns(SummaryRow)} - {"control", "sentence", "accepted"}
"""What a row of summary.json has as comparisons.csv has it."""


def change(row: SummaryRow) -> tuple[str, str]:
    """The typical change and its interval in words; empty where there is none."""
    if row.ratio is None or row.ratio_low is None or row.ratio_high is None:
        return "", ""
    return words.change_beside(row.ratio, row.ratio_low, row.ratio_high), words.change_interval(
        row.ratio_low, row.ratio_high
    )


def _cells(row: SummaryRow) -> list[str]:
    names = [
        f"{row.variant} against {row.baseline}" + (" (control)" if row.control else ""),
        row.workload,
        row.metric,
    ]
    typical = "" if row.typical is None else work.span(row)
    return [words.markdown(text) for text in [*names, typical, *change(row), row.verdict, str(row.blocks)]]
