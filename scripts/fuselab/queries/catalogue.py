"""SQL over what an experiment has measured: the tables, whether a query fits them, and its answer.

duckdb is imported when a query is there, not before.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fuselab import profilers
from fuselab.errors import QueryError
from fuselab.queries.asking import MEMORY, Query, lock, run
from fuselab.records.derived import QueryAnswer
from fuselab.records.places import Home

if TYPE_CHECKING:
    import duckdb

HOME = Home(Path())
_PLACE = {"variant": "VARCHAR", "workload": "VARCHAR"}
"""First columns of every table: whose row it is."""


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


def _processed() -> Iterator[tuple[str, SqlTable]]:
    """What profilers give to SQL."""
    for name, profiler in profilers.REGISTRY.items():
        for table, given in profiler.tables.items():
            pattern = str(HOME.processed("*", "*", name) / given.file)
            yield table, SqlTable(given.about, {**_PLACE, **given.columns}, pattern, name)


TABLES: Mapping[str, SqlTable] = {
    **dict(_processed()),
    "stacks": SqlTable(
        "the folded stacks of every profiler, each in its own unit",
        _PLACE | {"profiler": "VARCHAR", "stack": "VARCHAR", "value": "BIGINT"},
        str(HOME.processed("*", "*", "*") / "folded.txt"),
    ),
    "metrics": SqlTable(
        "every figure of every timed run",
        {"experiment": "VARCHAR", "workload": "VARCHAR", "block": "INTEGER", "variant": "VARCHAR"}
        | {"metric": "VARCHAR", "unit": "VARCHAR", "value": "DOUBLE", "better": "VARCHAR"}
        | {"tail_ios": "BIGINT", "slope": "DOUBLE", "noisy": "INTEGER", "busy_start": "INTEGER"},
        str(HOME.metrics),
    ),
    "comparisons": SqlTable(
        "the verdicts",
        {"experiment": "VARCHAR", "workload": "VARCHAR", "baseline": "VARCHAR", "variant": "VARCHAR"}
        | {"metric": "VARCHAR", "unit": "VARCHAR", "better": "VARCHAR", "blocks": "INTEGER"}
        | {"ratio": "DOUBLE", "ratio_low": "DOUBLE", "ratio_high": "DOUBLE", "verdict": "VARCHAR"},
        str(HOME.comparisons),
    ),
}


@dataclass(frozen=True)
class Fault:
    """Why a query cannot be answered. `names` are the tables or columns that there are instead."""

    message: str
    names: tuple[str, ...] = ()
    wrong: str | None = None
    """The name that does not exist."""


def fault_of(sql: str) -> Fault | None:
    """What is wrong with a query, found without any data: its syntax, its tables, its columns. None if it fits."""
    import duckdb

    with duckdb.connect() as database:
        for name in TABLES:
            _empty(database, name)
        lock(database, [])
        try:
            statements = database.extract_statements(sql)
            if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
                return Fault("a query is one SELECT")
            database.execute(f"explain {sql}")
        except duckdb.Error as error:
            return _read(str(error), sql)
    return None


def tables_in(sql: str) -> list[str]:
    """Names of `TABLES` that stand in the query as words."""
    return [name for name in TABLES if re.search(rf"\b{name}\b", sql, re.IGNORECASE)]


def whole_tables(asked: Sequence[Query]) -> list[str]:
    """Files of tables that hold all variants and workloads, and that one of the queries reads."""
    named = {name for query in asked for name in tables_in(query.sql)}
    return sorted(TABLES[name].pattern for name in named if "*" not in TABLES[name].pattern)


def _read(said: str, sql: str) -> Fault:
    """DuckDB's message in one line; the names that there are, where one is unknown."""
    first = (
        said.strip().splitlines()[0].rstrip("!").removeprefix("Parser Error: ").removeprefix("Binder Error: ")
    )
    column = re.search(r'column "([^"]+)" not found', said)
    if column:
        used = tables_in(sql)
        names = dict.fromkeys(c for name in used for c in TABLES[name].columns)
        return Fault(
            f"no column '{column[1]}' in {' or '.join(used) or 'any table'}", tuple(names), column[1]
        )
    table = re.search(r"Table with name (\S+) does not exist", said)
    if table:
        return Fault(f"no table '{table[1]}'", tuple(TABLES), table[1])
    return Fault(first)


def _empty(database: duckdb.DuckDBPyConnection, name: str) -> None:
    columns = ", ".join(f'"{column}" {kind}' for column, kind in TABLES[name].columns.items())
    database.execute(f'create table "{name}" ({columns})')


@contextmanager
def connect(
    home: Path, cell: tuple[str, str] = ("*", "*"), given: Collection[Path] | None = None
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database with the tables of one experiment, from the files below `home` (`results/<experiment>`).

    `cell` is one variant and workload; without it, all. `given` are the files, and folders of files, that are read;
    without it, all that are there. Queries see these tables and no other file.
    """
    import duckdb

    with duckdb.connect(config={"memory_limit": MEMORY}) as database:
        read: list[str] = []
        for name, table in TABLES.items():
            there = sorted(home.glob(table.pattern.replace("*/*", "/".join(cell), 1)))
            files = [path for path in there if given is None or path in given or path.parent in given]
            if files:
                parts = " union all by name ".join(_select(home, path, cell) for path in files)
                database.execute(f'create view "{name}" as {parts}')
                read += map(str, files)
            else:
                _empty(database, name)
        lock(database, read)
        yield database


def _select(home: Path, path: Path, cell: tuple[str, str]) -> str:
    """The rows of one file that are of `cell`, with whose they are."""
    words = path.relative_to(home).parts
    if path.suffix == ".csv":
        sides = zip(("variant", "workload"), cell, strict=True)
        mine = " and ".join(f"{side} = {_quoted(name)}" for side, name in sides if name != "*") or "true"
        return f"select * from read_csv({_quoted(str(path))}, header = true, delim = ',') where {mine}"
    place = f"{_quoted(words[1])} as variant, {_quoted(words[2])} as workload"
    if path.suffix == ".parquet":
        return f"select {place}, * from read_parquet({_quoted(str(path))})"
    format_ = "columns = {'line': 'VARCHAR'}, delim = '\\x01', header = false, quote = '', escape = ''"
    lines = f"read_csv({_quoted(str(path))}, {format_})"
    return (
        f"select {place}, {_quoted(words[3])} as profiler, regexp_extract(line, '^(.*) [0-9]+$', 1) as stack, "
        f"cast(regexp_extract(line, ' ([0-9]+)$', 1) as bigint) as value from {lines}"
    )


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def answers(
    home: Path, variant: str, workload: str, asked: Sequence[Query], given: Collection[Path] | None = None
) -> list[QueryAnswer]:
    """What `queries.json` of one variant and workload holds."""
    with connect(home, (variant, workload), given) as database:
        return [_answer(database, query) for query in asked]


def _answer(database: duckdb.DuckDBPyConnection, query: Query) -> QueryAnswer:
    try:
        table = run(database, query.sql)
    except QueryError as error:
        return QueryAnswer(query.title, query.sql, error=str(error))
    return QueryAnswer(query.title, query.sql, table.columns, table.rows)


def there(database: duckdb.DuckDBPyConnection) -> Iterator[tuple[str, int]]:
    """Tables and how many rows each has."""
    for name in TABLES:
        row = database.execute(f'select count(*) from "{name}"').fetchone()
        yield name, int(row[0]) if row else 0
