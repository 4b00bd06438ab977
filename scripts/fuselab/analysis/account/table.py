"""The rows of an account as Parquet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from fuselab.analysis.account.rows import Row

_FIGURES = (
    "calls", "wall_ns", "poll_ns", "oncpu_ns", "blocked_ns", "preempted_ns", "idle_ns", "awaiting_ns",
    "unexplained_ns", "poll_excess_ns",
)  # fmt: skip


def write_rows(path: Path, rows: Sequence[Row]) -> None:
    """Columns target, name, those of the figures, wall_share, merged_into, place."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns: dict[str, pa.DataType] = {"target": pa.string(), "name": pa.string()}
    columns |= dict.fromkeys(_FIGURES, pa.int64())
    schema = pa.schema(
        columns | {"wall_share": pa.float64(), "merged_into": pa.string(), "place": pa.string()}
    )
    records = [
        {**asdict(row), **asdict(row.key), "wall_share": row.share}
        | {"merged_into": row.merged_into and str(row.merged_into), "place": row.place or None}
        for row in rows
    ]
    pq.write_table(pa.Table.from_pylist(records, schema=schema), path)
