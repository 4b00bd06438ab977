"""SQL over what was measured: the promised columns are those of the real files, and faults are found without data."""

import csv
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fuselab.errors import QueryError
from fuselab.queries.asking import answers, connect, fault_of, row_counts, run
from fuselab.queries.catalogue import TABLES, whole_tables
from fuselab.queries.query import Query
from fuselab.records.comparison import Comparison
from fuselab.records.metrics import Sample
from fuselab.records.table import columns


def own(name: str) -> list[str]:
    """Columns that the file itself has."""
    return [column for column in TABLES[name].columns if column not in ("variant", "workload")]


@pytest.fixture
def home(tmp_path: Path, golden: Path) -> Path:
    """results/<experiment> with two variants."""
    from fuselab.analysis.spans.trace import read_trace
    from fuselab.analysis.tokio.tasks import read_tasks, write_tasks

    for variant in ("old", "new"):
        cell = tmp_path / "results" / "processed" / variant / "w"
        (cell / "trace-chrome").mkdir(parents=True)
        read_trace(golden / "chrome" / "async.json", cell / "trace-chrome" / "spans.parquet")
        (cell / "tokio-console").mkdir()
        write_tasks(
            cell / "tokio-console" / "tasks.parquet", read_tasks(golden / "console" / "tasks.ndjson").tasks
        )
        (cell / "perf-oncpu").mkdir()
        (cell / "perf-oncpu" / "folded.txt").write_text("main;it's a 'write' 30\nmain;copy, \"fast\" 12\n")
    with (tmp_path / "results" / "metrics.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns(Sample))
        writer.writerow(["e", "w", 1, "old", "write.bw", "B/s", 1e6, "higher", "", 0, 0, 0, "", "", ""])
        writer.writerow(["e", "w", 1, "new", "write.bw", "B/s", 2e6, "higher", "", 0, 0, 0, "", "", ""])
    return tmp_path / "results"


def test_spans_have_the_columns_that_are_promised(home: Path):
    schema = pq.read_schema(next(home.glob("processed/*/*/trace-chrome/spans.parquet")))
    assert set(schema.names) == set(own("spans"))


def test_tasks_have_the_columns_that_are_promised(home: Path):
    schema = pq.read_schema(next(home.glob("processed/*/*/tokio-console/tasks.parquet")))
    assert set(schema.names) == set(own("tasks"))


def test_the_heap_has_the_columns_that_are_promised():
    from fuselab.profilers.heap_tables import memory_table

    nothing = SimpleNamespace(memory=())
    assert memory_table(nothing).column_names == own("heap")  # type: ignore[arg-type]


def test_metrics_and_comparisons_have_the_columns_that_are_promised():
    assert list(TABLES["metrics"].columns) == list(columns(Sample))
    assert set(TABLES["comparisons"].columns) <= set(columns(Comparison))


@pytest.mark.parametrize("table", ["spans", "tasks", "stacks"])
def test_all_variants_are_one_table(home: Path, table: str):
    with connect(home) as database:
        found = run(database, f"select variant, workload, count(*) from {table} group by all order by all")
    assert found.columns[:2] == ("variant", "workload")
    (new, _, new_rows), (old, workload, old_rows) = found.rows
    assert (new, old, workload) == ("new", "old", "w")
    assert new_rows == old_rows > 0


def test_one_variant_alone(home: Path):
    with connect(home, ("old", "w")) as database:
        assert run(database, "select distinct variant from spans").rows == (("old",),)


def as_written(found: object) -> Any:
    """As they stand in queries.json."""
    return msgspec.json.decode(msgspec.json.encode(found))


def test_answers_of_one_variant_are_what_the_report_reads(home: Path):
    asked = [Query("Spans", "select count(*) n from spans"), Query("Broken", "select nmae from spans")]
    good, broken = as_written(answers(home, "old", "w", asked))
    assert (good["title"], good["columns"], good["error"]) == ("Spans", ["n"], None)
    assert good["rows"][0][0] > 0
    assert "nmae" in broken["error"]
    assert broken["rows"] == []


def test_stacks_of_every_profiler_are_one_table(home: Path):
    with connect(home) as database:
        found = run(
            database,
            "select stack, value from stacks where profiler = 'perf-oncpu' and variant = 'old' order by value",
        )
    assert found.rows == (('main;copy, "fast"', 12), ("main;it's a 'write'", 30))


def test_tables_without_files_are_empty(home: Path):
    with connect(home) as database:
        rows = row_counts(database)
    assert rows["spans"] > 0
    assert rows["metrics"] == 2
    assert rows["heap"] == 0


@pytest.mark.parametrize(
    "sql",
    [
        "select name, count(*) n, sum(dur_us) / 1e6 s from spans group by name order by s desc limit 10",
        "with slow as (select * from spans where dur_us > 1000) select variant, count(*) from slow group by 1",
        "select variant, median(value) from metrics where metric = 'write.bw' group by variant",
    ],
)
def test_what_can_be_answered_has_no_fault(sql: str):
    assert fault_of(sql) is None


@pytest.mark.parametrize(
    ("sql", "message", "wrong"),
    [
        ("selct name from spans", "syntax error", None),
        ("select nmae from spans", "no column 'nmae' in spans", "nmae"),
        ("select * from span", "no table 'span'", "span"),
        ("drop table spans", "one SELECT", None),
        ("select 1; select 2", "one SELECT", None),
        ("copy spans to '/tmp/x.csv'", "one SELECT", None),
    ],
)
def test_what_cannot_be_answered_is_found_without_data(sql: str, message: str, wrong: str | None):
    fault = fault_of(sql)
    assert fault is not None
    assert message in fault.message
    assert fault.wrong == wrong


def test_a_query_reads_no_other_file(home: Path, tmp_path: Path):
    pq.write_table(pa.table({"a": [1]}), tmp_path / "x.parquet")
    sql = f"select a from '{tmp_path}/x.parquet'"
    assert fault_of(sql) is not None
    with connect(home) as database, pytest.raises(QueryError):
        run(database, sql)


def test_a_variant_is_asked_of_its_own_runs(home: Path):
    asked = [Query("how fast", "select variant, value from metrics")]
    for variant, value in (("old", 1e6), ("new", 2e6)):
        [answer] = as_written(answers(home, variant, "w", asked))
        assert answer["rows"] == [[variant, value]], answer["error"]


def test_files_of_all_variants_are_waited_for_where_a_query_reads_them():
    assert whole_tables([Query("a", "select 1 from spans"), Query("b", "select value from Metrics")]) == [
        "metrics.csv"
    ]
