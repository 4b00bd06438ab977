"""SQL over what was measured: the promised columns are those of the real files, and faults are found without data."""

import csv
import json
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fuselab.analysis import tables
from fuselab.compare.comparisons import COLUMNS as COMPARISONS
from fuselab.queries import TABLES, answer, connect, fault_of, there

TRACE = [
    {
        "ph": "b",
        "pid": 1,
        "tid": 1,
        "id": 1,
        "ts": 1.0,
        "cat": "m",
        "name": "write",
        ".file": "a.rs",
        ".line": 3,
    },
    {
        "ph": "e",
        "pid": 1,
        "tid": 1,
        "id": 1,
        "ts": 5.0,
        "cat": "m",
        "name": "write",
        ".file": "a.rs",
        ".line": 3,
    },
]


def own(name: str) -> list[str]:
    """Columns that the file itself has."""
    return [column for column in TABLES[name].columns if column not in ("variant", "workload")]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """results/<experiment> with two variants."""
    from fuselab.analysis.spans import read_trace

    trace = tmp_path / "trace.json"
    trace.write_text("[\n" + ",\n".join(map(json.dumps, TRACE)) + "\n]\n")
    for variant in ("old", "new"):
        cell = tmp_path / "results" / "processed" / variant / "w"
        (cell / "trace-chrome").mkdir(parents=True)
        read_trace(trace, cell / "trace-chrome" / "spans.parquet")
        (cell / "perf-oncpu").mkdir()
        (cell / "perf-oncpu" / "folded.txt").write_text("main;it's a 'write' 30\nmain;copy, \"fast\" 12\n")
    with (tmp_path / "results" / "metrics.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(tables.COLUMNS)
        writer.writerow(["e", "w", 1, "old", "write.bw", "B/s", 1e6, "higher", "", 0])
    return tmp_path / "results"


def test_spans_have_the_columns_that_are_promised(home: Path):
    schema = pq.read_schema(next(home.glob("processed/*/*/trace-chrome/spans.parquet")))
    assert set(schema.names) == set(own("spans"))


def test_the_heap_has_the_columns_that_are_promised():
    from fuselab.profilers.heap_tables import memory_table

    nothing = SimpleNamespace(memory=())
    assert memory_table(nothing).column_names == own("heap")  # type: ignore[arg-type]


def test_metrics_and_comparisons_have_the_columns_that_are_promised():
    assert list(TABLES["metrics"].columns) == list(tables.COLUMNS)
    assert set(TABLES["comparisons"].columns) <= set(COMPARISONS)


def test_all_variants_are_one_table(home: Path):
    with connect(home) as database:
        found = answer(database, "select variant, workload, name, dur_us from spans order by variant")
        assert found.columns == ("variant", "workload", "name", "dur_us")
        assert found.rows == (("new", "w", "write", 4.0), ("old", "w", "write", 4.0))


def test_stacks_of_every_profiler_are_one_table(home: Path):
    with connect(home) as database:
        found = answer(
            database,
            "select stack, value from stacks where profiler = 'perf-oncpu' and variant = 'old' order by value",
        )
    assert found.rows == (('main;copy, "fast"', 12), ("main;it's a 'write'", 30))


def test_tables_without_files_are_empty(home: Path):
    with connect(home) as database:
        rows = dict(there(database))
    assert rows["spans"] == 2
    assert rows["metrics"] == 1
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


def test_reading_a_file_is_no_business_of_a_fault_check(tmp_path: Path):
    """A query is bound, not run: what it would read is not there yet."""
    pq.write_table(pa.table({"a": [1]}), tmp_path / "x.parquet")
    assert fault_of(f"select a from '{tmp_path}/x.parquet'") is None
