"""What the experiment's own SQL answered: the variants side by side, or why it could not be answered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from fuselab.records.derived import QueryAnswer
from fuselab.report import tables, words
from fuselab.report.context import Answer, QueryView, Table
from fuselab.report.embed import Carrier
from fuselab.report.reading import Results


def queries(results: Results, carrier: Carrier) -> tuple[QueryView, ...]:
    """Each query once: for every workload the answers of all variants, side by side where rows belong together."""
    asked: dict[tuple[str, str], dict[str, dict[str, QueryAnswer]]] = {}
    for workload in results.plan.workloads:
        for name in results.plan.names():
            for query in results.queries.get((name, workload.name), ()):
                by_workload = asked.setdefault((query.title, query.sql), {})
                by_workload.setdefault(workload.name, {})[name] = query
    return tuple(
        _view(carrier, f"query-{i}", title, sql, found)
        for i, ((title, sql), found) in enumerate(asked.items())
    )


def _view(
    carrier: Carrier, key: str, title: str, sql: str, found: dict[str, dict[str, QueryAnswer]]
) -> QueryView:
    joined: list[Table] = []
    apart: list[Answer] = []
    for w, (workload, answers) in enumerate(found.items()):
        under = f", {workload}" if len(found) > 1 else ""
        table, others = side_by_side(carrier, f"{key}-{w}", answers, under)
        joined += [table] if table else []
        apart += others
    return QueryView(title, sql, tuple(joined), tuple(apart))


def side_by_side(
    carrier: Carrier, key: str, answers: dict[str, QueryAnswer], under: str = ""
) -> tuple[Table | None, list[Answer]]:
    """One table of the answers whose rows belong together, if they do, and those that are not in it."""
    good = {label: query for label, query in answers.items() if not query.error}
    joined = _joined(carrier, key, good, under)
    apart = [label for label in answers if label not in good] if joined else list(answers)
    return joined, [
        Answer(
            label + under, _table(carrier, f"{key}-{i}", label + under, answers[label]), answers[label].error
        )
        for i, label in enumerate(apart)
    ]


def _table(carrier: Carrier, key: str, label: str, query: QueryAnswer) -> Table | None:
    return None if query.error else _linked(carrier, key, f"`{label}`.", query.columns, query.rows)


def _linked(
    carrier: Carrier, key: str, caption: str, names: Sequence[str], rows: Sequence[Sequence[Any]]
) -> Table:
    data = pd.DataFrame(list(rows), columns=list(names))
    return tables.from_records(key, caption, names, rows, carrier.table(data, key, len(rows)))


def _joined(carrier: Carrier, key: str, answers: dict[str, QueryAnswer], under: str) -> Table | None:
    """One table of all answers: rows by their leading text columns, a column for each figure and variant.

    None where answers have other columns than the first, or where no text tells one row from the next.
    """
    if len(answers) < 2 or len({query.columns for query in answers.values()}) != 1:
        return None
    columns = next(iter(answers.values())).columns
    rows = [row for query in answers.values() for row in query.rows]
    leading = next(
        (i for i in range(len(columns)) if not all(isinstance(row[i], str) for row in rows)), len(columns)
    )
    if not 0 < leading < len(columns) or not rows:
        return None
    found = {label: {row[:leading]: row for row in query.rows} for label, query in answers.items()}
    if any(len(found[label]) != len(query.rows) for label, query in answers.items()):
        return None
    keys = dict.fromkeys(row[:leading] for row in rows)
    figures = [(i, label) for i in range(leading, len(columns)) for label in answers]
    empty = (None,) * len(columns)
    body = [[*name, *(found[label].get(name, empty)[i] for i, label in figures)] for name in keys]
    heads = [*columns[:leading], *(f"{label}: {columns[i]}" for i, label in figures)]
    said = words.names(answers)
    return _linked(carrier, key, f"{said}, side by side{under}.", heads, body)
