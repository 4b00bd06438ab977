"""Counters that differ, in words and in order: `1 more fdatasync (0 to 1)`. They are those of runs of fixed work."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from fuselab.records.comparison import BELOW_THRESHOLD, MORE_WORK, Comparison
from fuselab.records.contrast import Contrast
from fuselab.records.summary import SummaryRow
from fuselab.report import words
from fuselab.report.clause import Clause
from fuselab.report.context import Link
from fuselab.report.reading import Results
from fuselab.workloads import REGISTRY, quantity
from fuselab.workloads.counters import PER_OP

SECTION = "#work"
MOST = 3
"""Counters that are named in a sentence; the table has them all."""
_RARE = 0.01
"""Events per operation below which a change is small, whatever its ratio: else one call of a whole run would be the
largest change of all."""
_LITTLE = math.log(1.25)
"""Of a `size`: a change of a quarter of what comes often."""


def counted(results: Results) -> list[Comparison]:
    """The rows of all counters: those that differ by what matters, in `order`, then by less, then the others."""
    return _sorted(results.comparisons)


def _sorted(rows: Iterable[Comparison]) -> list[Comparison]:
    counters = [row for row in rows if row.family == "work"]
    return sorted(counters, key=lambda row: (*_rank(row), *(order(row) if row.differs else ())))


def _rank(row: Comparison) -> tuple[bool, bool]:
    return not row.differs, BELOW_THRESHOLD in row.verdict


def order(row: Comparison) -> tuple[bool, int, float]:
    """What a row is sorted by, wherever several are told: what a clock says as it stands; of counters those that tell
    more of the cause first (`Quantity.telling`), and of a kind the largest relative change. Last comes what changed
    by a few events of a whole run, as a name does that the kernel asks for once more in a run of over a second."""
    known = quantity(row.metric)
    if not known.counted:
        return False, known.telling, 0.0
    few = row.metric.endswith(PER_OP) and known.unit == "1" and _change(row) < _RARE and size(row) < _LITTLE
    return few, known.telling, -size(row)


def mattering(rows: Iterable[Comparison]) -> list[Comparison]:
    """Counters that differ by what matters, in `order`."""
    return [row for row in _sorted(rows) if not any(_rank(row))]


def differing(results: Results, contrast: Contrast, workload: str) -> list[Comparison]:
    """Those of one contrast that differ by what matters, in `order`."""
    pair = (contrast.baseline, contrast.variant, workload)
    return mattering(row for row in results.comparisons if (row.baseline, row.variant, row.workload) == pair)


def size(row: Comparison) -> float:
    """How large a change is, beside others: of the logarithm of its ratio, in either direction."""
    before, after = ((value or 0.0) + _RARE for value in (row.typical_baseline, row.typical))
    return abs(math.log(after / before))


def clauses(results: Results, contrast: Contrast, workload: str) -> Iterator[Clause]:
    """What an operation costs more or less of; the sum of all calls is left out where one of them is named."""
    rows = differing(results, contrast, workload)
    wholes = {quantity(row.metric).part_of for row in rows[:MOST]}
    named = [row for row in rows if row.metric not in wholes]
    of = operation(results, workload)
    for row in named[:MOST]:
        each = row.metric.endswith(PER_OP) and not _seldom(row)
        yield Clause(Link(SECTION, clause(row, of)), size(row), each)
    if left := len(named[MOST:]):
        yield Clause(Link(SECTION, f"a change in {words.plural(left, 'other counter')}"), each=False)


def clause(row: Comparison, of: str = "operation") -> str:
    """`1 more fdatasync (0 to 1)`: the difference of what is typical, and from what to what it goes.

    Of what comes seldom how often it does: `1 more fsync in 128 writes (0 to 0.00781)`, where `of` is a write.
    """
    known = quantity(row.metric)
    word = "more" if row.word == MORE_WORK else "fewer" if known.unit == "1" else "less"
    if found := _seldom(row):
        events, operations = found
        said = f"{events} {word} {known.one if events.endswith('1') else known.event} in {operations} {of}s"
        return f"{said} ({span(row)})"
    where = "" if row.metric.endswith(PER_OP) or " per " in known.event else "in all "
    change = words.figure(_change(row), row.unit)
    return f"{where}{change} {word} {known.one if change == '1' else known.event} ({span(row)})"


def _seldom(row: Comparison) -> tuple[str, str] | None:
    """In how many operations how many events there are more or fewer; None of what comes often, or is no event."""
    is_event = row.metric.endswith(PER_OP) and quantity(row.metric).unit == "1"
    return words.seldom(_change(row)) if is_event else None


def _change(row: Comparison) -> float:
    return abs((row.typical or 0.0) - (row.typical_baseline or 0.0))


def span(row: Comparison | SummaryRow) -> str:
    """`0 to 1`, `4 KiB to 8 KiB`: what is typical of the baseline, and of the variant."""
    return " to ".join(words.figure(value, row.unit) for value in (row.typical_baseline, row.typical))


def operation(results: Results, workload: str) -> str:
    """What the load does, where it does one thing: a `write`; of a bench an `iteration`."""
    sides = {quantity(row.metric).side for row in results.comparisons if row.workload == workload} - {""}
    kinds = {REGISTRY[w.kind].operation for w in results.plan.workloads if workload in (w.name, w.judged_as)}
    return next((found.pop() for found in (sides, kinds) if len(found) == 1), "operation")
