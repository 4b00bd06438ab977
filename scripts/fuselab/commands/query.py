"""`fuselab query`: SQL over what an experiment has measured."""

from __future__ import annotations

import csv
import io
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from shutil import get_terminal_size
from textwrap import fill
from typing import TYPE_CHECKING

import click

from fuselab import foreign
from fuselab.commands import completing
from fuselab.commands.common import ONE_LINE, console, fail, located, print_json, row
from fuselab.schema.diagnostics import hint, near
from fuselab.words import with_unit

if TYPE_CHECKING:
    import duckdb

    from fuselab.queries.asking import Fault, Rows


MOST_ROWS = 100_000
TIMEOUT_S = 600.0


@click.command("query")
@click.argument("file", metavar="FILE|NAME", shell_complete=completing.experiments)
@click.argument("sql", required=False, metavar="[SQL]")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array with one object for each row.")
@click.option(
    "--csv", "as_csv", is_flag=True, help="Print CSV, figures as they are, with the columns' names first."
)
def command(file: str, sql: str | None, as_json: bool, as_csv: bool) -> None:
    """Answer SQL (DuckDB's) over an experiment's spans, tasks, heap, stacks and metrics.

    Every table has `variant` and `workload` as columns: group by them to compare. Without SQL, the tables and their
    columns are listed; `-` reads it from standard input. Figures have their units where a column's name or a column
    `unit` says them; --csv and --json give them as they are.
    """
    from fuselab.errors import QueryError
    from fuselab.queries.asking import connect, fault_of, run, why_empty, without_rows
    from fuselab.records.places import Results

    if as_json and as_csv:
        fail("--json and --csv exclude each other: keep one of them")
    root, path = located(file)
    home = Results(root).experiment(path.stem).folder
    if not home.is_dir():
        fail(f"{path.stem} has no results yet: fuselab run {path.stem}")
    if sql is None:
        with connect(home) as database:
            _tables(database, as_json, as_csv)
        return
    sql = sys.stdin.read() if sql == "-" else sql
    with connect(home) as database:
        try:
            answer = run(database, sql, MOST_ROWS, TIMEOUT_S)
            lacking = [why_empty(name, path.stem) for name in without_rows(database, sql)]
        except QueryError as error:
            fault = fault_of(sql)
            fail(_said(fault) if fault else str(error).strip())
    if as_json:
        print_json([dict(zip(answer.columns, row, strict=True)) for row in answer.rows])
    elif as_csv:
        _print_csv(answer.columns, answer.rows)
    elif answer.rows:
        _show(answer)
    for why in lacking or ([] if answer.rows else ["no row answers this"]):
        click.echo(f"fuselab: {why}", err=True)
    if answer.truncated:
        click.echo(f"fuselab: these are the first {MOST_ROWS:,} rows: there are more", err=True)


def _said(fault: Fault) -> str:
    close = near(fault.wrong, fault.names) if fault.wrong else None
    names = f"\nthere are: {', '.join(fault.names)}" if fault.names else ""
    return f"{fault.message}{hint(close)}{names}"


def _print_csv(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Text from a target is no formula to a spreadsheet; what is unknown is empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(map(foreign.cell, columns))
    writer.writerows([foreign.cell(v) if isinstance(v, str) else v for v in values] for values in rows)
    click.echo(text.getvalue(), nl=False)


def _tables(database: duckdb.DuckDBPyConnection, as_json: bool, as_csv: bool) -> None:
    from fuselab.queries.asking import row_counts
    from fuselab.queries.catalogue import TABLES

    counts = row_counts(database)
    if as_json:
        print_json([{"table": n, "rows": counts[n], "columns": t.columns} for n, t in TABLES.items()])
        return
    if as_csv:
        listed = [(n, column, kind) for n, t in TABLES.items() for column, kind in t.columns.items()]
        _print_csv(("table", "column", "type"), listed)
        return
    for name, table in TABLES.items():
        click.echo(f"{click.style(name, bold=True)}: {table.about} ({counts[name]} rows)")
        said = ", ".join(table.columns)
        click.echo(fill(said, get_terminal_size().columns, initial_indent="  ", subsequent_indent="  ")
                   if sys.stdout.isatty() else f"  {said}")  # fmt: skip


def _show(answer: Rows) -> None:
    """As a table where a row fits the terminal, else as one line for each value: no word is broken."""
    from rich.table import Table

    out = console()
    names = [foreign.name(column) for column in answer.columns]
    rows = [row(*_cells(answer.columns, values)) for values in answer.rows]
    table = Table(box=None, pad_edge=False)
    for i, name in enumerate(names):
        numeric = all(isinstance(values[i], int | float) for values in answer.rows)
        table.add_column(name, justify="right" if numeric else "left", no_wrap=True)
    for cells in rows:
        table.add_row(*cells)
    if out.measure(table, options=out.options.update(max_width=ONE_LINE)).maximum <= out.width:
        out.print(table)
        return
    widest = max(map(len, names))
    for number, cells in enumerate(rows):
        if number:
            out.print()
        for name, cell in zip(names, cells, strict=True):
            out.print(f"{name:{widest}}  {cell.plain}")


def _cells(columns: Sequence[str], values: Sequence[object]) -> Iterator[str]:
    """For people: with the unit of the column's name, `sum(dur_us)`, or of a column `unit` beside it."""
    unit = str(dict(zip(columns, values, strict=True)).get("unit", ""))
    for column, value in zip(columns, values, strict=True):
        if value is None or isinstance(value, bool) or not isinstance(value, int | float | Decimal):
            yield "" if value is None else str(value)
        elif column == "value" and unit:
            yield with_unit(float(value), unit)
        else:
            found = _UNIT.search(column)
            yield with_unit(float(value), found[1]) if found else _number(value)


_UNIT = re.compile(r"_(ns|us|ms|s|bytes|share)\)*$")


def _number(value: float | Decimal) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:,.6g}"
