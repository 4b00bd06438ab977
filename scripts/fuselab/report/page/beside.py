"""What was found of a contrast beside its verdict, strung into one sentence: what its operations cost more or less of.

Each source gives clauses of what it measured, with where to read on. They stand beside each other and beside the
verdict: which of them makes the difference is not said, because nobody measured that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, repeat

from fuselab.records.comparison import FASTER, SLOWER, Comparison
from fuselab.records.contrast import Contrast
from fuselab.report import spent, work
from fuselab.report.clause import Clause
from fuselab.report.context import Link
from fuselab.report.reading import Results

Source = Callable[[Results, Contrast, str], Iterable[Clause]]
"""Of a contrast under a workload: what `each operation costs`, and where that is shown; nothing where none differs."""

SOURCES: tuple[Source, ...] = (work.clauses, spent.requests, spent.account)
"""A time that explains the verdict comes before what has none; else the one that found the largest change comes first;
of two alike the one that stands first here."""
_EXPLAINS = 0.5
"""Of what the verdict says an operation takes longer: a time that grew by this share of it explains it. A counter that
went from none to two has changed by more than any time, and may cost next to nothing."""
Strung = tuple[tuple[str, Link], ...]
"""Clauses, each with what stands before it."""


def found(results: Results, row: Comparison) -> Strung:
    """What goes on behind the verdict on `row`; empty where it is none of a difference, or where nothing was found."""
    if row.word not in (FASTER, SLOWER):
        return ()
    contrast = Contrast(row.baseline, row.variant)
    told = [tuple(source(results, contrast, row.workload)) for source in SOURCES]
    told.sort(key=lambda clauses: min((_place(row, clause) for clause in clauses), default=(True, 0.0)))
    clauses = [clause for clauses in told for clause in clauses]
    against = [clause for clause in clauses if _explained(row, clause) < 0]
    return strung(results, row.workload, [each for each in clauses if each not in against], against)


def _place(row: Comparison, clause: Clause) -> tuple[bool, float]:
    """What sources are sorted by."""
    return _explained(row, clause) < _EXPLAINS, -clause.size


def _explained(row: Comparison, clause: Clause) -> float:
    """The share of the verdict's change in time that `clause` is, as both are told in relation to the baseline."""
    ratio = row.ratio or 1.0
    longer = 1 / ratio if row.better == "higher" else ratio
    return (clause.longer - 1) / (longer - 1) if longer != 1 else 0.0


def looked(results: Results, row: Comparison) -> bool:
    """Whether there was anything to find: counts of the pair, or a profile of each side."""
    pair = (row.baseline, row.variant, row.workload)
    counted = any((r.baseline, r.variant, r.workload) == pair for r in work.counted(results))
    profiled = {variant for variant, workload, _ in results.profiles if workload == row.workload}
    return counted or {row.baseline, row.variant} <= profiled


def strung(
    results: Results, workload: str, clauses: Sequence[Clause], against: Sequence[Clause] = ()
) -> Strung:
    """`: each write costs `, `, `, ` and `: what stands before each of `clauses`; `, yet `: before those `against` the
    verdict, as a time that became longer beside what is faster."""
    operation = work.operation(results, workload)
    yet = ", yet " if clauses else f", although each {operation} costs "
    befores = chain(_before(operation, [clause.each for clause in clauses]), [yet], repeat(" and "))
    return tuple(zip(befores, (clause.link for clause in (*clauses, *against)), strict=False))


def _before(operation: str, eachs: Sequence[bool]) -> Iterator[str]:
    """The verb stands once, before the first clause of each operation; one before it has its own."""
    for number, each in enumerate(eachs):
        joint = ": " if number == 0 else " and " if number == len(eachs) - 1 else ", "
        first = each and not any(eachs[:number])
        yield joint + (f"each {operation} costs " if first else "it takes " if number == 0 else "")
