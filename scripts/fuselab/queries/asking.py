"""Asking one SELECT of a database that holds its tables and reaches nothing else of the machine.

Whoever writes an experiment writes SQL, and people run experiments of others: a query is bounded in rows, time and
memory. duckdb is imported when a query is there, not before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Timer
from typing import TYPE_CHECKING, Any

from fuselab.errors import QueryError

if TYPE_CHECKING:
    import duckdb

MEMORY = "200MB"
MOST_ROWS = 1000
TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Query:
    title: str
    sql: str


@dataclass(frozen=True)
class Rows:
    """An answer; `truncated` if there would have been more rows."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    truncated: bool


@contextmanager
def opened(tables: Mapping[str, Path], scratch: Path | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database whose views are the given Parquet or CSV files, and which can reach nothing else.

    Large sorts go to a folder in `scratch` (default: the system's).
    """
    import duckdb

    with (
        TemporaryDirectory(prefix="fuselab-sql-", dir=scratch) as folder,
        duckdb.connect(config={"memory_limit": MEMORY, "temp_directory": folder}) as connection,
    ):
        for name, path in tables.items():
            reader = "read_csv" if path.suffix == ".csv" else "read_parquet"
            connection.execute(f"create view {_name(name)} as from {reader}({_text(str(path))})")
        lock(connection, list(map(str, tables.values())))
        yield connection


def lock(connection: duckdb.DuckDBPyConnection, paths: list[str]) -> None:
    """From here on the connection reads `paths` and touches no other file, and no setting can be changed."""
    connection.execute(f"set allowed_paths = [{', '.join(map(_text, paths))}]")
    connection.execute("set enable_external_access = false")
    connection.execute("set lock_configuration = true")


def run(
    connection: duckdb.DuckDBPyConnection, sql: str, most_rows: int = MOST_ROWS, timeout_s: float = TIMEOUT_S
) -> Rows:
    """Answer one SELECT. Raises QueryError for anything else, for a faulty query and for one that takes too long."""
    import duckdb

    timer = Timer(timeout_s, connection.interrupt)
    try:
        statements = connection.extract_statements(sql)
        if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
            raise QueryError("a query is one SELECT")
        timer.start()
        result = connection.execute(statements[0])
        rows = result.fetchmany(most_rows + 1)
    except duckdb.InterruptException:
        raise QueryError(f"the query took longer than {timeout_s:g} s") from None
    except duckdb.Error as error:
        raise QueryError(str(error).strip()) from None
    finally:
        timer.cancel()
    columns = tuple(str(column[0]) for column in result.description or ())
    return Rows(columns, tuple(map(tuple, rows[:most_rows])), len(rows) > most_rows)


def _name(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
