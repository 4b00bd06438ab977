"""What a program should change so that its trace tells more, from what was captured of it."""

from __future__ import annotations

import json

import duckdb

from fuselab.analysis.account.captures import Captures, Sampled
from fuselab.analysis.account.hints import missing_spans, wide_arguments
from fuselab.analysis.folded import Folded
from fuselab.analysis.spans.functions import SpanKey
from fuselab.analysis.spans.totals import SpanTotal, TraceTotals

WRITE, READ = SpanKey("myfs::io", "write"), SpanKey("myfs::io", "read")
SYNC = (
    "worker",
    "myfs::io::write::{{closure}}",
    "tokio::task::block",
    "<tracing::instrument::Instrumented<T> as core::future::future::Future>::poll",
    "myfs::disk::fsync_inner::{{closure}}::{{closure}}",
    "fsync",
    "do_fsync_[k]",
)
NAP = ("worker", "myfs::io::write", "std::thread::sleep", "__clock_nanosleep", "hrtimer_nanosleep_[k]")
LOCK = ("worker", "myfs::io::write", "std::sync::Mutex::lock", "futex_wait_[k]")


def captures(own_ns: int, blocked: dict[tuple[str, ...], int]) -> Captures:
    """`write` took 1,000 ns in all, `own_ns` of them in no child; half as many operations ran under perf."""
    spans = [
        SpanTotal(WRITE, frozenset(), 10, own_ns, None, {WRITE: own_ns}, 1000),
        SpanTotal(READ, frozenset(), 10, 50, None, {READ: 50}, 50),
    ]
    trace = TraceTotals(spans, {WRITE: (10, 1000), READ: (10, 50)})
    return Captures(trace, operations=10, blocked=Sampled(Folded(blocked, "ns"), 5))


def test_a_wait_outside_child_spans_is_named_by_the_function_that_waits() -> None:
    (said,) = missing_spans(captures(620, {SYNC: 200, LOCK: 50}))
    assert said == (
        "62% of `write` is in no child span; its blocked stacks name `disk::fsync_inner`: a span there would show it."
    )


def test_who_waits_little_or_in_the_spans_own_function_gets_no_hint() -> None:
    assert not list(missing_spans(captures(620, {SYNC: 50}))), "100 of 620 ns at the trace's load"
    assert not list(missing_spans(captures(150, {SYNC: 75}))), "next to nothing of all requests"
    assert not list(missing_spans(captures(620, {LOCK: 300}))), (
        "no function of somebody's own to put it around"
    )
    assert not list(missing_spans(captures(620, {NAP: 300}))), "the span around says all that one there could"


def spans(sizes: dict[str, int]) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("create table spans (target varchar, name varchar, args varchar)")
    for name, size in sizes.items():
        args = json.dumps({"ino": 7, "data": "x" * size})
        connection.execute("insert into spans values ('fs', ?, ?)", [name, args])
    connection.execute("insert into spans values ('fs', 'bare', null)")
    return connection


def test_arguments_that_are_most_of_a_trace_are_named_with_what_leaves_them_out() -> None:
    """They are in it twice: with the begin of a span, and with its end."""
    (said,) = wide_arguments(spans({"write_at": 780, "stat": 3}), 2000)
    assert (
        said
        == "The arguments of `write_at` make up 80% of the trace: `#[instrument(skip(data))]` leaves them out."
    )
    assert not list(wide_arguments(spans({"write_at": 100}), 2000))
    assert not list(wide_arguments(spans({}), 2000))
