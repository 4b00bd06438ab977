"""What a profiler shows of all variants at once, by what it says of itself in the registry: rows that it counts side by
side, curves by percentile, and what it saw as time went by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import pandas as pd

from fuselab.profilers import REGISTRY
from fuselab.profilers.base import Curves, SideBySide, Timeline
from fuselab.records.contrast import Contrast
from fuselab.records.places import TABLE
from fuselab.report import words
from fuselab.report.context import Cell, Column, Table
from fuselab.report.embed import data_link
from fuselab.report.figures import base, runs
from fuselab.report.figures.drawing import Drawing
from fuselab.report.reading import Processed, Results
from fuselab.report.tables import cell, column

MOST_CURVES = 4
_CURVES = (
    "Every capture is one line; the axis stretches the tail. From when the kernel sends a request until its answer is "
    "there."
)
_ALIKE = 5e-3
"""Relative difference up to which two counts are called alike: loads that end by the clock end anywhere."""
_SELDOM = 1e-3
"""For each operation: what comes less often than that is opening and closing, and no row of its own."""


def findings(results: Results, profiler: str, workload: str) -> tuple[str, ...]:
    """What was seen, in sentences; of several variants alike once."""
    said = {name: side.profile.findings for name, side in _sides(results, profiler, workload).items()}
    return tuple(
        f"{words.names(name for name, texts in said.items() if text in texts)}: {text}"
        for text in dict.fromkeys(text for texts in said.values() for text in texts)
    )


def tables(results: Results, key: str, profiler: str, workload: str) -> tuple[Table, ...]:
    """The counts of all variants, for each operation of the load where that is known, and what else compares."""
    shown = REGISTRY[profiler].side_by_side if profiler in REGISTRY else None
    sides = {
        name: _Side(processed, shown.row, shown.count)
        for name, processed in _sides(results, profiler, workload).items()
        if shown and (processed.folder / TABLE).is_file()
    } if shown else {}  # fmt: skip
    if not shown or not any(len(side.frame) for side in sides.values()):
        return ()
    return tuple(_tables(key, shown, sides, results.plan.contrasts))


def drawings(results: Results, profiler: str, workload: str) -> list[Drawing]:
    """Curves, then what goes over time."""
    if profiler not in REGISTRY:
        return []
    sides = _sides(results, profiler, workload)
    variants = base.places(results.plan.names())
    slug = (profiler, workload)
    return [
        *(d for curves in REGISTRY[profiler].curves for d in _curves(curves, slug, sides, variants)),
        *(d for line in REGISTRY[profiler].over_time for d in _over_time(line, slug, sides, variants)),
    ]


@dataclass(frozen=True)
class _Side:
    """One variant's table."""

    processed: Processed
    row: str
    count: str

    @cached_property
    def frame(self) -> pd.DataFrame:
        frame = pd.read_parquet(self.processed.folder / TABLE)
        return frame.set_index(self.row) if {self.row, self.count} <= set(frame.columns) else pd.DataFrame()

    @property
    def operations(self) -> int:
        return self.processed.profile.operations

    def counts(self, by: float) -> Mapping[str, float]:
        return {str(name): float(value) / by for name, value in self.frame.get(self.count, {}).items()}

    def values(self, name: str) -> Mapping[str, float]:
        found = self.frame[name].dropna() if name in self.frame else pd.Series(dtype=float)
        return {str(row): float(value) for row, value in found.items()}


def _sides(results: Results, profiler: str, workload: str) -> dict[str, Processed]:
    """By variant, of those that have a picture."""
    found = {name: results.profiles.get((name, workload, profiler)) for name in results.plan.names()}
    return {name: side for name, side in found.items() if side is not None and side.profile.has_picture}


def _tables(
    key: str, shown: SideBySide, sides: Mapping[str, _Side], contrasts: Sequence[Contrast]
) -> Iterator[Table]:
    known = all(side.operations for side in sides.values())
    counts = {
        name: side.counts(side.operations if known else side.processed.profile.captures)
        for name, side in sides.items()
    }
    most = {
        name: max(of.get(name, 0.0) for of in counts.values()) for each in counts.values() for name in each
    }
    order = sorted(most, key=lambda name: (-most[name], name))
    often = [name for name in order if not known or most[name] >= _SELDOM]
    against = {each.variant: each.baseline for each in contrasts}
    what = "for each operation of the load" if known else "in each capture"
    caption = f"{words.capital(shown.noun)} {what}, in brackets the difference from the baseline."
    left = len(order) - len(often)
    more = (
        f"{words.plural(left, 'row')} with fewer than one in {1 / _SELDOM:,.0f} operations: below."
        if left
        else ""
    )
    rows = {name: [_count(counts, variant, name, against) for variant in sides] for name in often}
    yield replace(_table(f"{key}-counts", caption, shown.row, rows, counts), more=more)
    for number, (name, said) in enumerate(shown.also.items()):
        _, unit = column(name, numeric=True)
        values = {variant: side.values(name) for variant, side in sides.items()}
        rows = {row: [cell(values[variant].get(row), unit) for variant in sides] for row in often}
        if any(values.values()):
            yield _table(f"{key}-also-{number}", f"{said}.", shown.row, rows, values)


def _table(
    key: str,
    caption: str,
    row: str,
    rows: Mapping[str, Sequence[Cell]],
    values: Mapping[str, Mapping[str, float]],
) -> Table:
    """One row a thing counted, one column a variant; behind the link all rows."""
    names = dict.fromkeys([*rows, *(name for of in values.values() for name in of)])
    frame = pd.DataFrame({row: list(names)} | {v: [of.get(n) for n in names] for v, of in values.items()})
    link = data_link(frame, key)
    columns = (Column(row), *(Column(variant, numeric=True) for variant in values))
    cells = tuple((Cell(name, strong=True), *of) for name, of in rows.items())
    return Table(key, caption, columns, cells, (link,) if link else ())


def _count(
    counts: Mapping[str, Mapping[str, float]], variant: str, name: str, against: Mapping[str, str]
) -> Cell:
    """How often, and how much more often than the baseline's."""
    value = counts[variant].get(name, 0.0)
    difference = value - counts.get(against.get(variant, ""), {}).get(name, 0.0)
    if against.get(variant) not in counts or abs(difference) <= _ALIKE * max(value, value - difference):
        return Cell(words.number(value), repr(value))
    sign = "+" if difference > 0 else words.MINUS
    return Cell(f"{words.number(value)} ({sign}{words.number(abs(difference), 2)})", repr(value))


def _curves(
    curves: Curves, slug: tuple[str, str], sides: Mapping[str, Processed], variants: base.Places
) -> Iterator[Drawing]:
    whole = _together(curves.file, sides)
    for name in list(dict.fromkeys(whole.get("name", ())))[:MOST_CURVES]:
        part = whole[whole["name"] == name].rename(columns={"capture": "block"})
        points = part[["variant", "block", "percentile", "latency_ns"]]
        yield runs.percentiles(
            words.slug(*slug, curves.noun, name), points, variants, f"{name} {curves.noun}:", _CURVES
        )


def _over_time(
    line: Timeline, slug: tuple[str, str], sides: Mapping[str, Processed], variants: base.Places
) -> Iterator[Drawing]:
    whole = _together(line.file, sides)
    if not whole.empty:
        run = whole.get("capture", 1)
        series = whole[["variant", "time_s"]].assign(run=run, value=whole[line.column])
        yield runs.over_time(
            words.slug(*slug, line.title), series, variants, line.title, line.unit, line.since, line.caption
        )


def _together(file: str, sides: Mapping[str, Processed]) -> pd.DataFrame:
    """The same file of all variants below each other."""
    there = {name: side.folder / file for name, side in sides.items() if (side.folder / file).is_file()}
    parts = [pd.read_parquet(path).assign(variant=name) for name, path in there.items()]
    return pd.concat([part for part in parts if len(part)]) if any(map(len, parts)) else pd.DataFrame()
