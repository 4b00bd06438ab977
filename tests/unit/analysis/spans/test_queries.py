"""The ready-made questions give the answers that a hand count gives, and no query reaches beyond its tables."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fuselab.analysis.spans.trace import read_trace
from fuselab.errors import QueryError
from fuselab.queries.asking import connect, run
from fuselab.queries.spans import (
    BUCKETS,
    CHILDREN,
    CONCURRENCY,
    GAPS,
    READY,
    SLOWEST,
)


def record(id_: int, name: str, start: float, end: float, parent: int | None, own: float) -> dict[str, Any]:
    return {
        "id": id_, "parent": parent, "root": 1 if id_ < 5 else id_, "target": "m", "name": name,
        "start_us": start, "dur_us": end - start, "self_us": own, "closed": True, "depth": 0 if parent is None else 1,
    }  # fmt: skip


def spans_of(home: Path) -> Path:
    """Where the spans of a cell are."""
    folder = home / "processed/v/w/trace-chrome"
    folder.mkdir(parents=True)
    return folder / "spans.parquet"


@pytest.fixture
def spans(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Two writes, the second without children, that overlap from 60 to 100."""
    rows = [
        record(1, "write", 0, 100, None, 30),
        record(2, "extend", 10, 40, 1, 30),
        record(3, "put", 50, 80, 1, 30),
        record(4, "put", 60, 90, 1, 30),
        record(5, "write", 60, 160, None, 100),
    ]
    pq.write_table(pa.Table.from_pylist(rows), spans_of(tmp_path))
    with connect(tmp_path) as connection:
        yield connection


def answer(connection: duckdb.DuckDBPyConnection, sql: str) -> list[dict[str, Any]]:
    found = run(connection, sql)
    return [dict(zip(found.columns, row, strict=True)) for row in found.rows]


def test_slowest_operations(spans: duckdb.DuckDBPyConnection) -> None:
    first = answer(spans, SLOWEST.sql)[0]
    assert (first["name"], first["calls"], first["p50_us"], first["max_us"]) == ("write", 2, 100, 100)
    assert first["total_s"] == pytest.approx(200e-6)
    assert first["self_s"] == pytest.approx(130e-6)


def test_concurrency_is_the_integral_of_open_requests(spans: duckdb.DuckDBPyConnection) -> None:
    steps = answer(spans, CONCURRENCY.sql)
    assert len(steps) == BUCKETS
    assert sum(step["mean_open"] for step in steps) * 160 / BUCKETS == pytest.approx(200, abs=0.05)
    assert max(step["most_open"] for step in steps) == 2
    assert steps[0]["mean_open"] == steps[-1]["mean_open"] == 1


def test_children_of_a_request(spans: duckdb.DuckDBPyConnection) -> None:
    found = {row["child"]: row for row in answer(spans, CHILDREN.sql)}
    assert found["put"]["calls_per_request"] == 1
    assert found["put"]["share"] == pytest.approx(60 / 200)
    assert found["extend"]["us_per_request"] == 15
    assert found["(itself)"]["total_s"] == pytest.approx(130e-6)


def test_gaps_between_children(spans: duckdb.DuckDBPyConnection) -> None:
    found = {(row["after_child"], row["before_child"]): row["max_us"] for row in answer(spans, GAPS.sql)}
    assert found == {("(start)", "extend"): 10, ("extend", "put"): 10, ("put", "(end)"): 10}


def test_gaps_of_a_real_trace_are_the_self_time_of_its_parents(golden: Path, tmp_path: Path) -> None:
    read_trace(golden / "chrome" / "async.json", spans_of(tmp_path))
    with connect(tmp_path) as connection:
        gaps_s = sum(row["total_s"] for row in answer(connection, GAPS.sql))
        parents = "select sum(self_us) / 1e6 as s from spans where id in (select parent from spans)"
        assert gaps_s == pytest.approx(answer(connection, parents)[0]["s"])


@pytest.mark.parametrize("query", READY, ids=lambda query: query.title)
def test_a_trace_of_one_span_breaks_no_question(query: Any, tmp_path: Path) -> None:
    one = record(1, "a", 5.0, 5.0, None, 0.0)
    table = pa.Table.from_pylist([one], schema=pq.read_schema(_typed(tmp_path)))
    pq.write_table(table, spans_of(tmp_path))
    with connect(tmp_path) as connection:
        run(connection, query.sql)


def _typed(folder: Path) -> Path:
    path = folder / "typed.parquet"
    pq.write_table(pa.Table.from_pylist([record(1, "a", 0.0, 1.0, 1, 0.5)]), path)
    return path


@pytest.mark.parametrize(
    "sql",
    [
        "select * from read_text('/etc/hostname')",
        "select * from read_csv('/etc/passwd')",
        "copy spans to '/tmp/fuselab-stolen.csv'",
        "attach '/tmp/fuselab-stolen.db'",
        "set enable_external_access = true",
        "drop view spans",
        "select 1; select 2",
        "install httpfs",
    ],
)
def test_a_query_reaches_nothing_but_its_tables(spans: duckdb.DuckDBPyConnection, sql: str) -> None:
    with pytest.raises(QueryError):
        run(spans, sql)
    assert not list(Path("/tmp").glob("fuselab-stolen*"))
    assert answer(spans, "select count(*) n from spans") == [{"n": 5}]


def test_rows_are_bounded_and_say_so(spans: duckdb.DuckDBPyConnection) -> None:
    found = run(spans, "select * from range(5000)", most_rows=100)
    assert (len(found.rows), found.truncated) == (100, True)
    assert not run(spans, "select * from range(100)", most_rows=100).truncated


def test_a_query_without_end_is_stopped(spans: duckdb.DuckDBPyConnection) -> None:
    endless = "select count(*) from range(1000000) a, range(1000000) b where a.range * b.range % 7 = 3"
    with pytest.raises(QueryError, match="longer than"):
        run(spans, endless, timeout_s=0.2)


def test_a_fault_is_told_in_words(spans: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(QueryError, match="nmae"):
        run(spans, "select nmae from spans")
    with pytest.raises(QueryError, match="syntax"):
        run(spans, "selct 1")


def test_other_tables_stand_beside_the_spans(tmp_path: Path) -> None:
    home = tmp_path / "it's"
    (home / "processed/v/w/tokio-console").mkdir(parents=True)
    pq.write_table(pa.table({"a": [1]}), home / "processed/v/w/tokio-console/tasks.parquet")
    (home / "metrics.csv").write_text("metric,value\nwrite.bw,5\n")
    with connect(home) as connection:
        assert answer(connection, "select a, value from tasks, metrics") == [{"a": 1, "value": 5}]
