"""Asking one SELECT of a database that holds its tables and reaches nothing else of the machine.

Whoever writes an experiment writes SQL, and people run experiments of others: a query is bounded in rows, time and
memory. duckdb is imported when a query is there, not before.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Timer
from typing import TYPE_CHECKING, Any

from fuselab.errors import QueryError
from fuselab.queries.catalogue import TABLES, tables_in
from fuselab.queries.query import Query
from fuselab.records.derived import QueryAnswer

if TYPE_CHECKING:
    import duckdb

MEMORY = "200MB"
MOST_ROWS = 1000
TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Rows:
    """An answer; `truncated` if there would have been more rows."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    truncated: bool


@dataclass(frozen=True)
class Fault:
    """Why a query cannot be answered. `names` are the tables or columns that there are instead."""

    message: str
    names: tuple[str, ...] = ()
    wrong: str | None = None
    """The name that does not exist."""


@contextmanager
def connect(
    home: Path, cell: tuple[str, str] = ("*", "*"), given: Collection[Path] | None = None
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database with the tables of one experiment, from the files below `home` (`results/<experiment>`).

    `cell` is one variant and workload; without it, all. `given` are the files, and folders of files, that are read;
    without it, all that are there. Queries see these tables and no other file.
    """
    import duckdb

    with (
        TemporaryDirectory(prefix="fuselab-sql-") as scratch,  # where large sorts go
        duckdb.connect(config={"memory_limit": MEMORY, "temp_directory": scratch}) as database,
    ):
        read: list[Path] = []
        for name, table in TABLES.items():
            there = sorted(home.glob(table.pattern.replace("*/*", "/".join(cell), 1)))
            files = [path for path in there if given is None or path in given or path.parent in given]
            if files:
                parts = " union all by name ".join(_select(home, path, cell) for path in files)
                database.execute(f'create view "{name}" as {parts}')
                read += files
            else:
                _create_empty(database, name)
        _lock(database, read)
        yield database


def run(
    database: duckdb.DuckDBPyConnection, sql: str, most_rows: int = MOST_ROWS, timeout_s: float = TIMEOUT_S
) -> Rows:
    """Answer one SELECT. Raises QueryError for anything else, for a faulty query and for one that takes too long."""
    import duckdb

    timer = Timer(timeout_s, database.interrupt)
    try:
        statement = _one_select(database, sql)
        timer.start()
        result = database.execute(statement)
        rows = result.fetchmany(most_rows + 1)
    except duckdb.InterruptException:
        raise QueryError(f"the query took longer than {timeout_s:g} s") from None
    except duckdb.Error as error:
        raise QueryError(str(error).strip()) from None
    finally:
        timer.cancel()
    columns = tuple(str(column[0]) for column in result.description or ())
    return Rows(columns, tuple(map(tuple, rows[:most_rows])), len(rows) > most_rows)


def answers(
    home: Path, variant: str, workload: str, queries: Sequence[Query], given: Collection[Path] | None = None
) -> list[QueryAnswer]:
    """What `queries.json` of one variant and workload holds."""
    with connect(home, (variant, workload), given) as database:
        return [_answer(database, query) for query in queries]


def row_counts(database: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Of every table."""
    return {name: run(database, f'select count(*) from "{name}"').rows[0][0] for name in TABLES}


def without_rows(database: duckdb.DuckDBPyConnection, sql: str) -> list[str]:
    """Names of the tables that the query reads and that hold nothing."""
    return [name for name in tables_in(sql) if not run(database, f'select 1 from "{name}" limit 1').rows]


def why_empty(name: str, experiment: str) -> str:
    """What a table of `experiment` would hold rows from, for whoever asks it and sees none."""
    table = TABLES[name]
    if "*" not in table.pattern:
        return f"`{name}` is empty: nothing is measured of {experiment} yet (fuselab run {experiment})"
    whose = table.profiler or "any profiler of times or memory"
    return f"`{name}` is empty: no capture of {experiment} gave any; {whose} would (docs/profilers.md)"


def fault_of(sql: str) -> Fault | None:
    """What is wrong with a query, found without any data: its syntax, its tables, its columns. None if it fits."""
    import duckdb

    with duckdb.connect() as database:
        for name in TABLES:
            _create_empty(database, name)
        _lock(database, [])
        try:
            _one_select(database, sql)
            database.execute(f"explain {sql}")
        except QueryError as error:
            return Fault(str(error))
        except duckdb.Error as error:
            return _fault(str(error), sql)
    return None


def _answer(database: duckdb.DuckDBPyConnection, query: Query) -> QueryAnswer:
    try:
        table = run(database, query.sql)
    except QueryError as error:
        return QueryAnswer(query.title, query.sql, error=str(error))
    return QueryAnswer(query.title, query.sql, table.columns, table.rows)


def _one_select(database: duckdb.DuckDBPyConnection, sql: str) -> duckdb.Statement:
    import duckdb

    statements = database.extract_statements(sql)
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise QueryError("a query is one SELECT")
    return statements[0]


def _fault(said: str, sql: str) -> Fault:
    """DuckDB's message in one line; the names that there are, where one is unknown."""
    if column := re.search(r'column "([^"]+)" not found', said):
        used = tables_in(sql)
        names = dict.fromkeys(name for table in used for name in TABLES[table].columns)
        return Fault(
            f"no column '{column[1]}' in {' or '.join(used) or 'any table'}", tuple(names), column[1]
        )
    if table := re.search(r"Table with name (\S+) does not exist", said):
        return Fault(f"no table '{table[1]}'", tuple(TABLES), table[1])
    first = said.strip().splitlines()[0].rstrip("!")
    return Fault(first.removeprefix("Parser Error: ").removeprefix("Binder Error: "))


def _create_empty(database: duckdb.DuckDBPyConnection, name: str) -> None:
    columns = ", ".join(f'"{column}" {kind}' for column, kind in TABLES[name].columns.items())
    database.execute(f'create table "{name}" ({columns})')


def _select(home: Path, path: Path, cell: tuple[str, str]) -> str:
    """The rows of one file that are of `cell`, with whose they are."""
    words = path.relative_to(home).parts
    if path.suffix == ".csv":
        sides = zip(("variant", "workload"), cell, strict=True)
        mine = " and ".join(f"{side} = {_quoted(name)}" for side, name in sides if name != "*") or "true"
        return f"select * from read_csv({_quoted(path)}, header = true, delim = ',') where {mine}"
    place = f"{_quoted(words[1])} as variant, {_quoted(words[2])} as workload"
    if path.suffix == ".parquet":
        return f"select {place}, * from read_parquet({_quoted(path)})"
    format_ = "columns = {'line': 'VARCHAR'}, delim = '\\x01', header = false, quote = '', escape = ''"
    return (
        f"select {place}, {_quoted(words[3])} as profiler, regexp_extract(line, '^(.*) [0-9]+$', 1) as stack, "
        f"cast(regexp_extract(line, ' ([0-9]+)$', 1) as bigint) as value from read_csv({_quoted(path)}, {format_})"
    )


def _lock(database: duckdb.DuckDBPyConnection, paths: Sequence[Path]) -> None:
    """From here on the database reads `paths` and touches no other file, and no setting can be changed."""
    database.execute(f"set allowed_paths = [{', '.join(map(_quoted, paths))}]")
    database.execute("set enable_external_access = false")
    database.execute("set lock_configuration = true")


def _quoted(text: object) -> str:
    return "'" + str(text).replace("'", "''") + "'"
