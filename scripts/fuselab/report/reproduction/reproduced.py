"""`reproduced.html`: the verdicts of a bundle made elsewhere beside those measured here, and which of them held."""

from __future__ import annotations

import io
import zipfile
import zlib
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import msgspec

from fuselab.files import write_atomically
from fuselab.records.comparison import Comparison
from fuselab.records.summary import Summary
from fuselab.records.table import parse_rows
from fuselab.report import counts, words
from fuselab.report.context import Cell, Column, Fact, FigureView, Table
from fuselab.report.embed import in_both_widths
from fuselab.report.figures import intervals
from fuselab.report.inputs import ReportInputs
from fuselab.report.reading import Results
from fuselab.report.reproduction.divergence import divergence
from fuselab.report.summary import summarise
from fuselab.report.templating import rendered

_THERE, _HERE = "there", "here"
_OPEN = ("inconclusive", "failed")
_CAPTION = "Each comparison twice: as the bundle has it, and as it was measured here."


@dataclass(frozen=True)
class Pair:
    """One primary comparison of the bundle, and the same one here if it was made."""

    there: Comparison
    here: Comparison | None

    @property
    def outcome(self) -> str:
        """`held`, `did not hold`, or why that cannot be said. Nothing is tested: the verdicts are compared."""
        if self.here is None:
            return "not measured here"
        if self.there.word in _OPEN:
            return "was not decided there"
        if self.here.word in _OPEN:
            return "not decided here"
        return "held" if self.here.word == self.there.word else "did not hold"


@dataclass(frozen=True)
class Reproduction:
    title: str
    headline: str
    facts: tuple[Fact, ...]
    warnings: tuple[str, ...]
    figure: FigureView | None
    table: Table


def write_reproduced(bundle: Path, inputs: ReportInputs, project: Path, out: Path) -> None:
    """Write the page. `project` has the targets and services that were used here.

    Raises ValueError if `bundle` is no bundle of this experiment.
    """
    context = reproduction(bundle, inputs, project)
    write_atomically(out, rendered("reproduced.html.j2", page=context))


def reproduction(bundle: Path, inputs: ReportInputs, project: Path) -> Reproduction:
    results = Results(inputs)
    try:
        with zipfile.ZipFile(bundle) as archive:
            check_size(archive)
            summary = msgspec.json.decode(archive.read("summary.json"), type=Summary)
            rows = parse_rows(io.StringIO(archive.read("comparisons.csv").decode()), Comparison)
            warnings = tuple(divergence(archive, results, project))
    except (KeyError, ValueError, RuntimeError, RecursionError, zlib.error, zipfile.BadZipFile) as error:
        raise ValueError(f"{bundle} is no bundle of fuselab: {error}") from error
    if summary.experiment != results.plan.experiment:
        raise ValueError(
            f"{bundle} is of the experiment {summary.experiment}, not of {results.plan.experiment}"
        )
    pairs = _pairs(summary, rows, results)
    here = summarise(results)
    return Reproduction(
        title=summary.title,
        headline=_headline(pairs),
        facts=(Fact("there", _origin(summary)), Fact("here", _origin(here))),
        warnings=(*warnings, *(f"There: {a}" for a in summary.alarms), *(f"Here: {a}" for a in here.alarms)),
        figure=_figure(pairs, results.plan.threshold),
        table=_table(pairs),
    )


LARGEST_FILE_BYTES = 64 << 20
LARGEST_BYTES = 512 << 20
MOST_FILES = 20_000
_PARSED = ("summary.json", "plan.json", "comparisons.csv", "checksums.sha256")
_PARSED_BYTES = 8 << 20
"""Of a bundle, unpacked: many times what the largest experiment leaves. What is parsed takes more than its size."""


def check_size(archive: zipfile.ZipFile) -> None:
    """Raise ValueError for what takes more memory than a bundle can need. zipfile reads no more than is announced."""
    files = archive.infolist()
    if len(files) > MOST_FILES:
        raise ValueError(f"it holds {len(files):,} files, and a bundle {MOST_FILES:,} at the most")
    for file in files:
        limit = _PARSED_BYTES if file.filename.endswith(_PARSED) else LARGEST_FILE_BYTES
        if file.file_size > limit:
            name, mib = file.filename[:100], file.file_size >> 20
            raise ValueError(
                f"`{name}` in it is of {mib:,} MiB, and such a file of {limit >> 20} at the most"
            )
    total = sum(file.file_size for file in files)
    if total > LARGEST_BYTES:
        raise ValueError(
            f"unpacked it is of {total >> 20:,} MiB, and a bundle of {LARGEST_BYTES >> 20} at the most"
        )


def _pairs(summary: Summary, rows: tuple[Comparison, ...], results: Results) -> list[Pair]:
    """The primary comparisons of the bundle, controls left out: their verdict is about the machine."""
    ours = {_key(row): row for row in results.comparisons}
    wanted = {(r.workload, r.baseline, r.variant, r.metric) for r in summary.comparisons if not r.control}
    return [Pair(row, ours.get(_key(row))) for row in rows if _key(row) in wanted]


def _key(row: Comparison) -> tuple[str, str, str, str]:
    return row.workload, row.baseline, row.variant, row.metric


def _headline(pairs: list[Pair]) -> str:
    outcomes = [pair.outcome for pair in pairs]
    decided = outcomes.count("held") + outcomes.count("did not hold")
    said = f"{outcomes.count('held')} of {words.plural(decided, 'verdict')} held."
    left = len(outcomes) - decided
    if not decided:
        return (
            f"No verdict can be compared: of {words.plural(left, 'verdict')} none was decided on both sides."
        )
    return said + (f" Of {left} more nothing can be said." if left else "")


def _origin(summary: Summary) -> str:
    said = (
        words.listing(list(summary.machines)),
        words.period(summary.measured_first, summary.measured_last),
        counts.counted(summary.blocks, summary.voided),
    )
    return ", ".join(text for text in said if text)


def _figure(pairs: list[Pair], threshold: float) -> FigureView | None:
    rows = []
    for pair in pairs:
        for where, row in ((_THERE, pair.there), (_HERE, pair.here)):
            if row is not None and row.has_interval:
                label = f"{row.variant}: {words.phrase(row.metric).noun}, {row.workload}, {where}"
                rows.append((label, replace(row, variant=where)))
    if not rows:
        return None
    places = {_THERE: 0, _HERE: 2}
    draws = partial(intervals.ratios, rows=rows, variants=places, threshold=threshold, caption=_CAPTION)
    return in_both_widths("reproduced", draws)


def _table(pairs: list[Pair]) -> Table:
    names = ("contrast", "workload", "metric", "there", "verdict there", "here", "verdict here", "outcome")
    rows = tuple(
        (
            Cell(f"{pair.there.variant} against {pair.there.baseline}"),
            Cell(pair.there.workload),
            Cell(pair.there.metric),
            Cell(_change(pair.there)),
            Cell(pair.there.verdict),
            Cell(_change(pair.here)),
            Cell(pair.here.verdict if pair.here else ""),
            Cell(pair.outcome, strong=True),
        )
        for pair in pairs
    )
    return Table("reproduced-table", "Every primary verdict of the bundle.", tuple(map(Column, names)), rows)


def _change(row: Comparison | None) -> str:
    if row is None or not row.has_interval:
        return ""
    return words.estimate(*row.interval)
