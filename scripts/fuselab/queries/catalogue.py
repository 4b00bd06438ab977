"""The tables that SQL is asked over: what an experiment has measured, and what its profilers say that they give."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from fuselab import profilers
from fuselab.records.comparison import Comparison
from fuselab.records.metrics import Sample
from fuselab.records.places import Home

_HOME = Home(Path())
_PLACE = {"variant": "VARCHAR", "workload": "VARCHAR"}
"""First columns of every table that is made for a cell: whose row it is."""
_TYPES = {"int": "BIGINT", "float": "DOUBLE", "bool": "BOOLEAN"}


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


@dataclass(frozen=True)
class Query:
    title: str
    sql: str


def _given() -> Iterator[tuple[str, SqlTable]]:
    """What profilers give to SQL."""
    for name, profiler in profilers.REGISTRY.items():
        for table, given in profiler.tables.items():
            pattern = str(_HOME.processed("*", "*", name) / given.file)
            yield table, SqlTable(given.about, {**_PLACE, **given.columns}, pattern, name)


def _columns(row: type[Any]) -> dict[str, str]:
    """Of a CSV whose rows are of the dataclass `row`."""
    return {field.name: _TYPES.get(str(field.type).split()[0], "VARCHAR") for field in fields(row)}


TABLES: Mapping[str, SqlTable] = {
    **dict(_given()),
    "stacks": SqlTable(
        "the folded stacks of every profiler, each in its own unit",
        _PLACE | {"profiler": "VARCHAR", "stack": "VARCHAR", "value": "BIGINT"},
        str(_HOME.processed("*", "*", "*") / "folded.txt"),
    ),
    "metrics": SqlTable("every figure of every timed run", _columns(Sample), str(_HOME.metrics)),
    "comparisons": SqlTable("the verdicts", _columns(Comparison), str(_HOME.comparisons)),
}


def tables_in(sql: str) -> list[str]:
    """Names of `TABLES` that stand in the query as words."""
    return [name for name in TABLES if re.search(rf"\b{name}\b", sql, re.IGNORECASE)]


def whole_tables(queries: Sequence[Query]) -> list[str]:
    """Files of tables that hold all variants and workloads, and that one of the queries reads."""
    named = {name for query in queries for name in tables_in(query.sql)}
    return sorted(TABLES[name].pattern for name in named if "*" not in TABLES[name].pattern)
