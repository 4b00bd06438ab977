"""The tables that SQL is asked over: what an experiment has measured, and what its profilers say that they give."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fuselab import profilers
from fuselab.profilers.base import columns_of
from fuselab.queries.query import Query
from fuselab.records.comparison import Comparison
from fuselab.records.metrics import Sample
from fuselab.records.places import FOLDED, Home

_HOME = Home(Path())
_PLACE = {"variant": "VARCHAR", "workload": "VARCHAR"}
"""First columns of every table that is made for a cell: whose row it is."""


@dataclass(frozen=True)
class SqlTable:
    """One table: what it holds, its columns, and the files (below `results/<experiment>`) that it is read from."""

    about: str
    columns: Mapping[str, str]
    """Name -> type of DuckDB."""
    pattern: str
    """Glob, with the variant and the workload as its first two folders below the first word."""
    profiler: str | None = None
    """Whose captures it is made from."""


def _given() -> Iterator[tuple[str, SqlTable]]:
    """What profilers give to SQL."""
    for name, profiler in profilers.REGISTRY.items():
        for table in profiler.tables:
            pattern = str(_HOME.processed("*", "*", name) / table.file)
            yield table.name, SqlTable(table.about, {**_PLACE, **table.columns}, pattern, name)


TABLES: Mapping[str, SqlTable] = {
    **dict(_given()),
    "stacks": SqlTable(
        "the folded stacks of every profiler, each in its own unit",
        _PLACE | {"profiler": "VARCHAR", "stack": "VARCHAR", "value": "BIGINT"},
        str(_HOME.processed("*", "*", "*") / FOLDED),
    ),
    "metrics": SqlTable("every figure of every timed run", columns_of(Sample), str(_HOME.metrics)),
    "comparisons": SqlTable("the verdicts", columns_of(Comparison), str(_HOME.comparisons)),
}


def tables_in(sql: str) -> list[str]:
    """Names of `TABLES` that stand in the query as words."""
    return [name for name in TABLES if re.search(rf"\b{name}\b", sql, re.IGNORECASE)]


def whole_tables(queries: Sequence[Query]) -> list[str]:
    """Files of tables that hold all variants and workloads, and that one of the queries reads."""
    named = {name for query in queries for name in tables_in(query.sql)}
    return sorted(TABLES[name].pattern for name in named if "*" not in TABLES[name].pattern)
