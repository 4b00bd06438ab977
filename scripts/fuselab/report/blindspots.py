"""Where the time is: self time of each operation by what it was, and which profiler cannot see which part."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from fuselab.report import tables
from fuselab.report.context import BlindSpotView, Cell, Column, FigureView, Table
from fuselab.report.distributions import view
from fuselab.report.drawing import Drawing
from fuselab.report.embed import data_link
from fuselab.report.figures import base, stacked
from fuselab.report.reading import Results

SHOWN = 12
"""Operations in the figure; the table has them all."""
_PARTS = [column for column, _, _ in stacked.PARTS]


def blind_spots(results: Results) -> tuple[BlindSpotView, ...]:
    return tuple(_views(results))


def _views(results: Results) -> Iterator[BlindSpotView]:
    plan = results.plan
    for w, workload in enumerate(plan.workloads):
        sides = [(name, results.blindspots.get((name, workload.name))) for name in plan.names()]
        present = [(name, side) for name, side in sides if side is not None]
        if not present:
            continue
        drawn: list[FigureView] = []
        shown: list[Table] = []
        headlines: list[str] = []
        notes: list[str] = []
        spans = {name: read(path) for name, (path, _) in present}
        longest_ns = max(float(totals(table).max()) for table in spans.values())
        for v, (name, (_, said)) in enumerate(present):
            key = f"blindspots-{w}-{v}"
            wide, narrow = (
                drawing(key + suffix, name, spans[name], longest_ns, width_in)
                for suffix, width_in in (("", base.WIDE_IN), ("-narrow", base.NARROW_IN))
            )
            drawn.append(view(wide, narrow))
            shown.append(_table(f"{key}-table", name, spans[name]))
            headlines += [f"`{name}`: {said.headline}"] if said.headline else []
            notes += [f"`{name}`: {note}" for note in said.notes]
        yield BlindSpotView(workload.name, tuple(headlines), tuple(drawn), tuple(shown), tuple(notes))


def read(path: Path) -> pd.DataFrame:
    return pd.read_csv(path) if path.suffix == ".csv" else pd.read_parquet(path)


def totals(table: pd.DataFrame) -> pd.Series[float]:
    """Self time of each row, in ns, of the kinds that are drawn."""
    parts = [column for column in _PARTS if column in table]
    return table[parts].fillna(0).clip(lower=0).sum(axis=1)


def drawing(name: str, variant: str, table: pd.DataFrame, longest_ns: float, width_in: float) -> Drawing:
    """The operations with the most time. A row without parts, such as the time outside the target, is not drawn."""
    found = totals(table)
    order = found[found > 0].sort_values(ascending=False).index[:SHOWN]
    return stacked.blind_spots(name, variant, table.loc[order], longest_ns, width_in)


def _table(key: str, variant: str, table: pd.DataFrame) -> Table:
    link = data_link(table, key)
    caption = f"Every operation of `{variant}`: self time by what it was, summed over the run."
    return tables.from_frame(key, caption, table, (link,) if link else ())


_PROFILERS = ("trace-chrome", "trace-flame", "perf-oncpu", "perf-offcpu", "tokio-console")
_SIGHT = {
    "on CPU": ("in wall time", "in poll time", "yes", "no", "as busy"),
    "blocked in the kernel": ("in wall time", "in poll time", "no", "yes", "as busy"),
    "awaiting": ("in wall time", "no", "no", "no", "as idle"),
    "FUSE queue and kernel": ("no", "no", "in part", "no", "no"),
}
"""Kind of time -> how each of `_PROFILERS` shows it (METHOD.md, blind-spot accounting)."""


def sight(results: Results) -> Table | None:
    """Which profiler of this experiment sees which kind of time."""
    asked = {plan.name for plan in results.plan.profilers}
    kept = [i for i, name in enumerate(_PROFILERS) if name in asked]
    if not kept:
        return None
    rows = tuple((Cell(kind, strong=True), *(Cell(seen[i]) for i in kept)) for kind, seen in _SIGHT.items())
    columns = (Column("kind of time"), *(Column(_PROFILERS[i]) for i in kept))
    return Table("sight", "Which profiler sees which kind of time.", columns, rows)
