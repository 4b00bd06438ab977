"""Where the time is: self time of each operation by what it was, and which profiler cannot see which part."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from fuselab.report import figures, tables
from fuselab.report.context import BlindSpotView, Cell, Column, Table
from fuselab.report.distributions import view
from fuselab.report.drawing import Drawing
from fuselab.report.embed import data_link
from fuselab.report.reading import Results

SHOWN = 12
"""Operations in the figure; the table has them all."""
_PARTS = [column for column, _, _ in figures.PARTS]
_CAPTION = (
    "Self time, so that the bars add up: time on a processor, blocked in the kernel or pushed off it, and suspended at "
    "an await. No sampler of stacks, on the processor or off it, sees what is awaiting."
)


def blind_spots(results: Results) -> tuple[BlindSpotView, ...]:
    return tuple(_views(results))


def _views(results: Results) -> Iterator[BlindSpotView]:
    plan = results.plan
    for w, workload in enumerate(plan.workloads):
        sides = [(name, results.blindspots.get((name, workload.name))) for name in plan.names()]
        present = [(name, side) for name, side in sides if side is not None]
        if not present:
            continue
        drawn, shown, headlines, notes = [], [], [], []
        spans = {name: read(path) for name, (path, _) in present}
        longest_ns = max(float(totals(table).max()) for table in spans.values())
        for v, (name, (_, said)) in enumerate(present):
            key = f"blindspots-{w}-{v}"
            wide, narrow = (
                drawing(key + suffix, name, spans[name], longest_ns, width_in)
                for suffix, width_in in (("", figures.WIDE_IN), ("-narrow", figures.NARROW_IN))
            )
            drawn.append(view(wide, f"`{name}`, on the same axis as the first." if drawn else _CAPTION, narrow))
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
    return figures.blind_spots(name, variant, table.loc[order], longest_ns, width_in)


def _table(key: str, variant: str, table: pd.DataFrame) -> Table:
    link = data_link(table, key)
    caption = f"Every operation of `{variant}`: self time by what it was, summed over the run."
    return tables.from_frame(key, caption, table, (link,) if link else ())


SIGHT = {
    "on CPU": {"trace-chrome": "in wall time", "trace-flame": "in poll time", "perf-oncpu": "yes", "perf-offcpu": "no", "tokio-console": "as busy"},
    "blocked in the kernel": {"trace-chrome": "in wall time", "trace-flame": "in poll time", "perf-oncpu": "no", "perf-offcpu": "yes", "tokio-console": "as busy"},
    "awaiting": {"trace-chrome": "in wall time", "trace-flame": "no", "perf-oncpu": "no", "perf-offcpu": "no", "tokio-console": "as idle"},
    "FUSE queue and kernel": {"trace-chrome": "no", "trace-flame": "no", "perf-oncpu": "in part", "perf-offcpu": "no", "tokio-console": "no"},
}  # fmt: skip


def sight(results: Results) -> Table | None:
    """Which profiler of this experiment sees which kind of time."""
    names = [p.name for p in results.plan.profilers if any(p.name in row for row in SIGHT.values())]
    if not names:
        return None
    rows = tuple((Cell(kind, strong=True), *(Cell(seen.get(name, "")) for name in names)) for kind, seen in SIGHT.items())
    columns = (Column("kind of time"), *(Column(name) for name in names))
    return Table("sight", "Which profiler sees which kind of time.", columns, rows)

