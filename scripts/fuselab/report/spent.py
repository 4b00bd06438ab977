"""What an operation spends its time in, in words: of requests in flight, and of the account of where the time is.

Both come from captures and not from blocks, so they have no interval: what is said is from what to what it goes, and
nothing where that is less than would be seen at a glance. Of what is part of another figure it is said that it is.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import pandas as pd

from fuselab import profilers
from fuselab.profilers.base import SpentBy
from fuselab.records.contrast import Contrast
from fuselab.records.places import TABLE
from fuselab.report import accounted, words
from fuselab.report.clause import Clause
from fuselab.report.context import Link
from fuselab.report.reading import Results

ACCOUNT_SECTION = "#time"
_NOTICEABLE = 0.1
"""Smallest change of captures that is told, as a fraction: they are few, and their machine drifts between them."""
_PARTS = {
    "awaiting_ns": "suspended in",
    "blocked_ns": "blocked in",
    "oncpu_ns": "on the CPU in",
}
_ALL = 0.95
"""Of a change: from this share on it is all of it."""

Times = Mapping[str, float]
"""What it was spent in -> ns per operation."""


def requests(results: Results, contrast: Contrast, workload: str) -> Iterator[Clause]:
    """Of each profiler whose table says in what operations spend time: how much more, and in what most of that is."""
    for number, plan in enumerate(results.plan.profilers):
        known = profilers.REGISTRY.get(plan.name)
        cells = [(name, workload, plan.name) for name in (contrast.baseline, contrast.variant)]
        if known is not None and known.spent is not None and (told := _told(results, cells, known.spent)):
            said, longer = told
            yield Clause(Link(f"#profiler-{number}", said), abs(math.log(longer)), longer=longer)


def _told(
    results: Results, cells: Sequence[tuple[str, str, str]], spent: SpentBy
) -> tuple[str, float] | None:
    """`0.9 ms more in flight (1.2 ms to 2.1 ms), 0.8 ms of it blocked in `WRITE``, and how many times as long that
    is; None where little changed. A bare directory spends nothing there, which is known without a capture."""
    nothing = [not _is_mounted(results, variant) for variant, _, _ in cells]

    def known(sides: Sequence[Times]) -> bool:
        return any(sides) and all(side or none for side, none in zip(sides, nothing, strict=True))

    whole = [_of_table(results, cell, TABLE, spent.column, {spent.ns: "in"}) for cell in cells]
    before, after = (sum(side.values()) for side in whole)
    change = after - before
    if not known(whole) or abs(change) <= _NOTICEABLE * before:
        return None
    said = f"{words.figure(abs(change), 'ns')} {'more' if change > 0 else 'less'} {spent.words}"
    parts = [_of_table(results, cell, spent.file, spent.column, spent.parts) for cell in cells]
    most = _most_of(change, *(parts if known(parts) else whole))
    return f"{said} ({_span(before, after)}), {most}", after / before if before else math.inf


def _is_mounted(results: Results, variant: str) -> bool:
    return any(each.argv for each in results.plan.variants if each.name == variant)


def _most_of(change: float, before: Times, after: Times) -> str:
    changes = {name: after.get(name, 0.0) - before.get(name, 0.0) for name in {**before, **after}}
    name = max(changes, key=lambda each: changes[each] * change)
    part = changes[name]
    if abs(part - change) < (1 - _ALL) * abs(change):
        return f"all of it {name}"
    if abs(part) > abs(change):  # what is elsewhere went the other way
        more, less = ("more", "less") if change > 0 else ("less", "more")
        return f"{words.figure(abs(part), 'ns')} {more} {name} and {less} elsewhere"
    return f"{words.figure(abs(part), 'ns')} of it {name}"


def _of_table(
    results: Results, cell: tuple[str, str, str], file: str, column: str, parts: Mapping[str, str]
) -> Times:
    """`blocked in `WRITE`` -> ns per operation; empty without that table."""
    found = results.profiles.get(cell)
    if found is None or not file or not found.profile.operations or not (found.folder / file).is_file():
        return {}
    table = pd.read_parquet(found.folder / file)
    return {
        f"{said} `{name}`": ns
        for part, said in parts.items()
        if {column, part} <= {*table.columns}
        for name, ns in _per_operation(table, column, part, found.profile.operations).items()
        if not name.startswith("(")  # what is no request
    }


def account(results: Results, contrast: Contrast, workload: str) -> Iterator[Clause]:
    """Which part of the account became larger by most: suspended, blocked or on the CPU, in one of its operations."""
    sides = [_of_account(results, name, workload) for name in (contrast.baseline, contrast.variant)]
    grown = {
        (part, name): ns - sides[0][part].get(name, 0.0)
        for part in _PARTS
        if all(part in side for side in sides)
        for name, ns in sides[1][part].items()
    }
    (part, name), change = max(grown.items(), key=lambda each: each[1], default=(("", ""), 0.0))
    before = sides[0][part].get(name, 0.0) if part else 0.0
    whole = sum(sum(times.values()) for times in sides[0].values())
    if change > _NOTICEABLE * before and change > _NOTICEABLE * whole:
        said = f"{words.figure(change, 'ns')} more {_PARTS[part]} `{name}` ({_span(before, before + change)})"
        longer = 1 + change / whole if whole else math.inf
        yield Clause(Link(ACCOUNT_SECTION, said), math.log(longer), longer=longer)


def _of_account(results: Results, variant: str, workload: str) -> Mapping[str, Times]:
    """Part -> times; empty where the account does not say of how many operations of the load it is."""
    one = accounted.of_spans(results, variant, workload)
    if one is None:
        return {}
    return {part: _per_operation(one.inside, "name", part, 1) for part in _PARTS if part in one.captured}


def _per_operation(table: pd.DataFrame, column: str, ns: str, operations: float) -> Times:
    sums = table.groupby(column)[ns].sum() / operations
    return {str(name): float(value) for name, value in sums.items()}


def _span(before: float, after: float) -> str:
    return f"{words.figure(before, 'ns')} to {words.figure(after, 'ns')}"
