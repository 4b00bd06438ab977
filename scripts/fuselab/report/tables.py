"""Tables of data as tables of the page. A column names its unit in its last word: `_ns`, `_bytes`, `_share`."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fuselab import foreign
from fuselab.report import words
from fuselab.report.context import Cell, Column, Link, Table

if TYPE_CHECKING:
    import pandas as pd

MOST_ROWS = 200
_LONG_TEXT = 45
_FRAMES_SHOWN = 3
_WORDS_SHOWN = 24
"""Characters of a note."""
_UNITS = {"ns": "ns", "us": "us", "ms": "ms", "s": "s", "bytes": "bytes", "hz": "Hz"}
_UNITS |= {"share": "share", "error": "share", "percent": "%"}
_IN_PROFILE_UNIT = ("self", "total")
"""Columns of a profile's tables that end so are in the profile's own unit."""


def cell(value: object, unit: str | None = None) -> Cell:
    """`value` worded with its unit, and what to sort it by."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return Cell("", "")
    if isinstance(value, bool):
        return Cell("yes" if value else "no")
    if isinstance(value, int | float):
        return Cell(
            words.quantity(float(value), unit) if unit else words.count(float(value)), repr(float(value))
        )
    return Cell(foreign.name(str(value)))


def column(name: str, numeric: bool) -> tuple[Column, str | None]:
    """The column's heading, and its unit. Units stand in the cells, so they are dropped from the heading."""
    stem, _, last = name.rpartition("_")
    unit = _UNITS.get(last.lower()) if stem and numeric else None
    return Column((stem if unit else name).replace("_", " "), numeric), unit


def from_records(
    key: str,
    caption: str,
    names: Sequence[str],
    rows: Sequence[Sequence[Any]],
    links: tuple[Link, ...] = (),
    total: int | None = None,
    profile_unit: str = "",
) -> Table:
    """A table of plain values; columns whose every value is a number are numeric. `total`: rows there are in all."""
    numeric = [_is_numeric([row[i] for row in rows]) for i in range(len(names))]
    heads = [column(name, n) for name, n in zip(names, numeric, strict=True)]
    wide = [
        any(isinstance(row[i], str) and len(row[i]) > _LONG_TEXT for row in rows[:MOST_ROWS])
        for i in range(len(names))
    ]
    own = profile_unit.split()[0] if profile_unit else None
    units = [
        unit or (own if name.split("_")[-1] in _IN_PROFILE_UNIT else None)
        for name, (_, unit) in zip(names, heads, strict=True)
    ]
    stacks = ["stack" in name.split("_") for name in names]
    shown = rows[:MOST_ROWS]
    count = len(rows) if total is None else total
    more = f"The first {words.count(len(shown))} of {words.count(count)} rows." if count > len(shown) else ""
    cells = tuple(
        tuple(
            _stack(value) if folded and isinstance(value, str) else cell(value, unit)
            for value, unit, folded in zip(row, units, stacks, strict=True)
        )
        for row in shown
    )
    columns = tuple(replace(head, wide=long) for (head, _), long in zip(heads, wide, strict=True))
    return Table(key, caption, columns, cells, links, more)


def from_cells(
    key: str, caption: str, rows: Sequence[Mapping[str, Cell]], numeric: Collection[str] = ()
) -> Table:
    """Of rows with the same columns, of which there is one at least."""
    columns = tuple(Column(name, name in numeric) for name in rows[0])
    return Table(key, caption, columns, tuple(tuple(row.values()) for row in rows))


def folded(text: str) -> Cell:
    """A sentence beside figures: its first words, the whole of it behind them."""
    first = textwrap.shorten(text, _WORDS_SHOWN, placeholder=" …")
    return Cell(first, whole=text) if first != text else Cell(text)


def _stack(folded: str) -> Cell:
    """`root;caller;leaf` as its innermost frames, the others behind them."""
    frames = tuple(reversed(folded.split(";")))
    few = " ← ".join(frames[:_FRAMES_SHOWN])
    return Cell(few, stack=frames) if len(frames) > _FRAMES_SHOWN else Cell(few)


def _is_numeric(values: list[object]) -> bool:
    known = [value for value in values if value is not None]
    return bool(known) and all(
        isinstance(value, int | float) and not isinstance(value, bool) for value in known
    )


def from_frame(
    key: str,
    caption: str,
    frame: pd.DataFrame,
    links: tuple[Link, ...] = (),
    total: int | None = None,
    profile_unit: str = "",
) -> Table:
    plain = frame.astype(object).where(frame.notna(), None)
    rows = [[_plain(value) for value in row] for row in plain.itertuples(index=False, name=None)]
    return from_records(key, caption, [str(name) for name in frame.columns], rows, links, total, profile_unit)


def _plain(value: Any) -> object:
    """numpy's scalars as Python's; what is neither text nor number as text."""
    value = value.item() if hasattr(value, "item") and getattr(value, "ndim", 0) == 0 else value
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)


def read_largest(path: Path, column: str, rows: int) -> tuple[pd.DataFrame, int]:
    """The `rows` rows of a Parquet file with the most in `column`, the largest first, and how many it has."""
    import duckdb
    import pyarrow.parquet as pq

    order = f'order by "{column}" desc nulls last limit {int(rows)}'
    with duckdb.connect(config={"memory_limit": "256MB"}) as connection:
        frame = connection.execute(f"select * from read_parquet($1) {order}", [str(path)]).df()
    return frame, pq.read_metadata(path).num_rows


def read_head(path: Path, rows: int = MOST_ROWS) -> tuple[pd.DataFrame, int]:
    """The first `rows` rows of a Parquet or CSV file, and how many it has. A trace's table may have millions."""
    import pandas as pd

    if path.suffix == ".csv":
        frame = pd.read_csv(path)
        return frame.head(rows), len(frame)
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        batch = next(file.iter_batches(batch_size=rows), None)
        return (
            pd.DataFrame(columns=file.schema_arrow.names) if batch is None else batch.to_pandas()
        ), file.metadata.num_rows
