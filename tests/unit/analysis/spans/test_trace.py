"""Spans of real traces have the times that were planted, and those of made-up ones the parents that were meant."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest

from fuselab.analysis.spans.flame import Edge, Location, read_flame
from fuselab.analysis.spans.trace import TraceSummary, read_trace, read_traces, wall_stacks
from fuselab.errors import ProfileError

Spans = list[dict[str, Any]]


def spans_of(trace: Path, tmp_path: Path, edges: frozenset[Edge] | None = None) -> tuple[TraceSummary, Spans]:
    out = tmp_path / "spans.parquet"
    summary = read_trace(trace, out, edges)
    return summary, pq.read_table(out).sort_by("id").to_pylist()


def named(spans: Spans, name: str) -> Spans:
    return [span for span in spans if span["name"] == name]


def paths(spans: Spans) -> set[str]:
    return {span["path"].replace("traced::fs::", "") for span in spans}


# Real traces


def test_every_span_of_a_real_trace_is_found(golden: Path, tmp_path: Path) -> None:
    summary, spans = spans_of(golden / "chrome" / "async.json", tmp_path)
    assert (summary.spans, summary.unclosed, summary.orphan_ends, summary.cut) == (43, 1, 0, False)
    counts = {
        name: len(named(spans, name))
        for name in ("write", "extend_file_size", "store", "put", "walk", "sync")
    }
    assert counts == {"write": 4, "extend_file_size": 4, "store": 10, "put": 10, "walk": 4, "sync": 1}
    assert summary.notes() == ("1 of 43 spans were still open at the end of the trace.",)


def test_planted_waits_and_work_are_in_their_spans(golden: Path, tmp_path: Path) -> None:
    _, spans = spans_of(golden / "chrome" / "async.json", tmp_path)
    for name, planted_us in (
        ("extend_file_size", 4000),
        ("copy", 2000),
        ("stage; one", 1000),
        ("sync", 5000),
    ):
        for span in named(spans, name):
            assert planted_us <= span["self_us"] == span["dur_us"]
    for span in named(spans, "put"):
        assert span["dur_us"] >= 1000 * int(json.loads(span["args"])["millis"])


def test_a_span_carries_its_place_thread_and_arguments(golden: Path, tmp_path: Path) -> None:
    _, spans = spans_of(golden / "chrome" / "async.json", tmp_path)
    first = named(spans, "write")[0]
    assert (first["target"], first["file"], first["line"]) == ("traced::fs", "src/main.rs", 22)
    assert first["thread"] == "tokio-rt-worker"
    assert json.loads(first["args"]) == {"len": "4096", "offset": "0", "stored": "4096"}
    assert (first["parent"], first["root"], first["depth"]) == (None, first["id"], 0)
    assert named(spans, "sync")[0]["target"] == "disk"


def test_fields_recorded_late_meet_their_own_begin_under_join(golden: Path, tmp_path: Path) -> None:
    """put's `etag` is ten times its `millis`: a begin that met another's end would break that."""
    _, spans = spans_of(golden / "chrome" / "async.json", tmp_path)
    by_id = {span["id"]: span for span in spans}
    for put in named(spans, "put"):
        args = json.loads(put["args"])
        assert int(args["etag"]) == 10 * int(args["millis"])
        assert json.loads(by_id[put["parent"]]["args"])["millis"] == args["millis"]


def test_concurrent_siblings_are_no_parents_of_each_other(golden: Path, tmp_path: Path) -> None:
    _, spans = spans_of(golden / "chrome" / "async.json", tmp_path)
    assert {"write;store;put", "mirror;store;put"} <= paths(spans)
    assert not [path for path in paths(spans) if path.count("store") > 1]


def test_the_stacks_of_flame_tell_recursion_from_concurrency(golden: Path, tmp_path: Path) -> None:
    edges = read_flame(golden / "flame" / "flame.folded").edges
    _, with_edges = spans_of(golden / "chrome" / "async.json", tmp_path, edges)
    assert "walk;walk;walk;walk" in paths(with_edges)
    assert not [path for path in paths(with_edges) if path.count("store") > 1]


def test_self_times_of_a_request_without_concurrency_add_up_to_it(golden: Path, tmp_path: Path) -> None:
    edges = read_flame(golden / "flame" / "flame.folded").edges
    _, spans = spans_of(golden / "chrome" / "async.json", tmp_path, edges)
    walks = named(spans, "walk")
    assert sum(span["self_us"] for span in walks) == pytest.approx(walks[0]["dur_us"])


def test_a_trace_cut_by_an_exit_is_read_up_to_the_cut(golden: Path, tmp_path: Path) -> None:
    summary, spans = spans_of(golden / "chrome" / "cut.json", tmp_path)
    assert summary.cut
    assert summary.unclosed > 0
    assert len(named(spans, "write")) > 2
    assert "cut short" in summary.notes()[0]


def test_a_threaded_trace_has_stays_instead_of_lifetimes(golden: Path, tmp_path: Path) -> None:
    summary, spans = spans_of(golden / "chrome" / "threaded.json", tmp_path)
    assert summary.style == "threaded"
    assert summary.orphan_ends == summary.unclosed == 0
    assert "walk;walk;walk;walk" in paths(spans)
    # Almost all of extend_file_size is a wait, in which no thread is inside it.
    assert sum(span["dur_us"] for span in named(spans, "extend_file_size")) < 4000
    assert sum(span["dur_us"] for span in named(spans, "copy")) >= 6000


def test_wall_stacks_hold_the_self_times(golden: Path, tmp_path: Path) -> None:
    _, spans = spans_of(golden / "chrome" / "async.json", tmp_path)
    with duckdb.connect() as connection:
        connection.execute(f"create view spans as from '{tmp_path}/spans.parquet'")
        folded = wall_stacks(connection)
    assert folded.total == pytest.approx(1000 * sum(span["self_us"] for span in spans), abs=len(spans))
    assert ("traced::fs::write", "traced::fs::stage, one") in folded.stacks


# Traces that say nothing


def test_a_filter_that_lets_no_span_through_is_named(golden: Path, tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match="RUST_LOG"):
        read_trace(golden / "chrome" / "silent.json", tmp_path / "out.parquet")
    assert not (tmp_path / "out.parquet").exists()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "0 bytes"),
        ("[\n", "cut before its first whole record"),
        ('[\n{"ph":"b","na', "cut before its first whole record"),
        ("hello", "does not begin as"),
        ('[\n{"ph":"M","pid":1,"tid":0,"name":"thread_name","args":{"name":"main"}}\n]', "no span"),
        ('[\n{"ph":"e","id":1,"ts":1.0,"name":"a","cat":"m","tid":0}\n]', "no begin"),
        ('[\n{"ph":"b",,,}\n]', "no valid JSON"),
    ],
)
def test_a_trace_without_spans_says_why(text: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / "trace.json").write_text(text)
    with pytest.raises(ProfileError, match=reason):
        read_trace(tmp_path / "trace.json", tmp_path / "out.parquet")


# Cut files, and several of one capture


def event(ph: str, ts: int, name: str, **more: object) -> str:
    return json.dumps({"ph": ph, "pid": 1, "ts": ts, "name": name, "cat": "fs", "tid": 0, "id": 1, **more})


WHOLE = event("b", 0, "write"), event("e", 10, "write")


@pytest.mark.parametrize(
    "tail",
    [
        '{"ph":"b","ts":20,"name":"read","id":2,"args":{"list":[{"a":1}]',
        '{"ph":"b","ts":20,"name":"read","id":2,"args":{"list":[]',
        '{"ph":"b","ts":20,"name":"read","id":2,"args":{"text":"[{}]',
        '{"ph":"b","ts":20,"name":"read","id":2,"args":{"list":[{"a":1}] ',
    ],
)
def test_a_bracket_inside_a_record_is_not_the_end_of_the_file(tail: str, tmp_path: Path) -> None:
    (tmp_path / "trace.json").write_text("[\n" + ",\n".join([*WHOLE, tail]))
    summary, spans = spans_of(tmp_path / "trace.json", tmp_path)
    assert summary.cut
    assert [(span["name"], span["dur_us"]) for span in spans] == [("write", 10)]


@pytest.mark.parametrize(
    "text", ["[\n{},\n{}\n]", "[\n{},\n{}]", "[{},{}]", "[\n{},\n{}\n]\n", "[\n{},\n{},\n]"]
)
def test_a_finished_file_is_not_called_cut_however_it_ends(text: str, tmp_path: Path) -> None:
    (tmp_path / "trace.json").write_text(text.replace("{}", "%s") % WHOLE)
    summary, spans = spans_of(tmp_path / "trace.json", tmp_path)
    assert not summary.cut
    assert len(spans) == 1


def test_every_trace_of_a_capture_is_read_and_none_is_paired_with_another(tmp_path: Path) -> None:
    ends = [WHOLE, (event("b", 20, "write"), event("e", 9020, "write")), (event("e", 5, "write"),)]
    for number, events in enumerate(ends):
        (tmp_path / f"trace-{number}.json").write_text("[\n" + ",\n".join(events) + "\n]")
    (tmp_path / "trace-3.json").write_text("")
    summary = read_traces(sorted(tmp_path.glob("trace-*.json")), tmp_path / "spans.parquet", scratch=tmp_path)
    spans = pq.read_table(tmp_path / "spans.parquet").to_pylist()
    assert sum(span["dur_us"] for span in spans) == 9010
    assert len({span["id"] for span in spans}) == len({span["root"] for span in spans}) == 2
    assert summary.spans == 2
    assert [note.split(":")[0] for note in summary.notes()] == [
        "The trace trace-2.json has no begin of a span.",
        "The trace trace-3.json has 0 bytes",
    ]


def test_a_name_with_an_escape_sequence_stands_in_no_table(tmp_path: Path) -> None:
    events = (event("b", 0, "\x1b[31mred\x1b[0m\x07"), event("e", 10, "\x1b[31mred\x1b[0m\x07"))
    (tmp_path / "trace.json").write_text("[\n" + ",\n".join(events) + "\n]")
    _, (span,) = spans_of(tmp_path / "trace.json", tmp_path)
    assert (span["name"], span["path"]) == ("red", "fs::red")


# Made-up traces, whose parents are known


@dataclass
class Made:
    """A span with the truth about it in its arguments, as tracing-chrome would write it."""

    name: str
    start: float
    end: float
    children: list[Made] = field(default_factory=list)
    number: int = 0
    parent: int = -1

    def all(self) -> list[Made]:
        return [self, *(below for child in self.children for below in child.all())]


def write_trace(path: Path, roots: Sequence[Made], arguments: bool = True) -> None:
    lines: list[tuple[float, int, str]] = []
    number = 0
    for trace_id, root in enumerate(roots, 1):
        for span in root.all():
            span.number, number = number, number + 1
            for child in span.children:
                child.parent = span.number
            args = {"args": {"number": str(span.number)}} if arguments else {}
            for phase, ts in (("b", span.start), ("e", span.end)):
                common = {
                    "pid": 1,
                    "tid": 0,
                    "id": trace_id,
                    "cat": "m",
                    ".file": "m.rs",
                    ".line": len(span.name),
                }
                record = {"ph": phase, "ts": round(ts, 3), "name": span.name, **common, **args}
                lines.append((ts, phase == "b", json.dumps(record, separators=(",", ":"))))
    lines.sort(key=lambda line: line[0])
    path.write_text("[\n" + ",\n".join(line for _, _, line in lines) + "\n]")


def parents_found(path: Path, tmp_path: Path, edges: frozenset[Edge] | None = None) -> dict[int, int]:
    _, spans = spans_of(path, tmp_path, edges)
    number = {span["id"]: int(json.loads(span["args"])["number"]) for span in spans}
    return {number[span["id"]]: number.get(span["parent"], -1) for span in spans}


def nested(rng: random.Random, start: float, end: float, depth: int) -> Made:
    """A request that does one thing at a time; every place has one depth, so that nothing recurses."""
    made = Made(f"f{'x' * depth}{rng.choice('abc')}", start, end)
    at = start
    while depth < 5 and end - at > 10 and rng.random() < 0.75:  # below the clock's step nothing can be told
        begin = at + rng.uniform(0.01, 0.2) * (end - at)
        stop = begin + rng.uniform(0.2, 0.8) * (end - begin)
        made.children.append(nested(rng, begin, stop, depth + 1))
        at = stop
    return made


def test_requests_that_do_one_thing_at_a_time_are_read_exactly(tmp_path: Path) -> None:
    rng = random.Random(1)
    roots = [nested(rng, at := rng.uniform(0, 1e6), at + 1e4, 0) for _ in range(300)]
    write_trace(tmp_path / "t.json", roots)
    truth = {span.number: span.parent for root in roots for span in root.all()}
    assert len(truth) > 3000
    assert parents_found(tmp_path / "t.json", tmp_path) == truth


def joined(rng: random.Random, start: float) -> Made:
    """`join!` of two branches of different places, each with a call inside; either may outlive the other."""
    ends = [start + rng.uniform(50, 500) for _ in range(2)]
    branches = []
    for number, (name, end) in enumerate(zip(("data", "metadata"), ends, strict=True)):
        begin = start + 1 + 4 * number
        branches.append(Made(name, begin, end, [Made(name + "_call", begin + 1, end - 1)]))
    return Made("write", start, max(ends) + 1, branches)


def test_branches_of_a_join_are_told_apart_by_the_whole_trace(tmp_path: Path) -> None:
    rng = random.Random(2)
    roots = [joined(rng, 1000.0 * n) for n in range(300)]
    write_trace(tmp_path / "t.json", roots)
    assert parents_found(tmp_path / "t.json", tmp_path) == {
        s.number: s.parent for r in roots for s in r.all()
    }


def test_flame_tells_apart_what_times_cannot(tmp_path: Path) -> None:
    """The second branch always ends first: from the times alone it could be a call of the first."""
    roots = [
        Made("write", t, t + 100, [Made("data", t + 1, t + 90), Made("metadata", t + 2, t + 50)])
        for t in range(0, 10_000, 1000)
    ]
    write_trace(tmp_path / "t.json", roots)
    truth = {s.number: s.parent for r in roots for s in r.all()}

    def edge(parent: str, child: str) -> Edge:
        places = [Location(f"m::{name}", "m.rs", len(name)) for name in (parent, child)]
        return Edge(*places)

    edges = frozenset({edge("write", "data"), edge("write", "metadata")})
    assert parents_found(tmp_path / "t.json", tmp_path, edges) == truth
    assert parents_found(tmp_path / "t.json", tmp_path) != truth


def test_a_function_that_calls_itself_often_recurses(tmp_path: Path) -> None:
    roots = [
        Made("list", t, t + 100, [Made("walk", t + 1, t + 99, [Made("walk", t + 2, t + 50)])])
        for t in range(0, 60_000, 1000)
    ]
    write_trace(tmp_path / "t.json", roots)
    assert parents_found(tmp_path / "t.json", tmp_path) == {
        s.number: s.parent for r in roots for s in r.all()
    }


def test_children_that_overlap_are_covered_once(tmp_path: Path) -> None:
    root = Made("write", 0, 100, [Made("put", 10, 50), Made("put", 30, 70), Made("put", 80, 90)])
    write_trace(tmp_path / "t.json", [root])
    _, spans = spans_of(tmp_path / "t.json", tmp_path)
    assert named(spans, "write")[0]["self_us"] == 30
    assert sorted(span["self_us"] for span in named(spans, "put")) == [10, 40, 40]


def test_without_arguments_the_last_opened_closes_first(tmp_path: Path) -> None:
    root = Made("a", 0, 100, [Made("b", 10, 50), Made("b", 20, 60), Made("b", 70, 75)])
    write_trace(tmp_path / "t.json", [root], arguments=False)
    summary, spans = spans_of(tmp_path / "t.json", tmp_path)
    assert (summary.unclosed, summary.orphan_ends) == (0, 0)
    assert sorted(span["dur_us"] for span in named(spans, "b")) == [5, 30, 50]


def test_one_root_over_everything_is_no_matter(tmp_path: Path) -> None:
    """A long-lived root holds thousands of children: nothing here may grow with their square."""
    children = [
        Made("op", 10.0 * n + 1, 10.0 * n + 9, [Made("step", 10.0 * n + 2, 10.0 * n + 3)])
        for n in range(20_000)
    ]
    write_trace(tmp_path / "t.json", [Made("session", 0, 200_001, children)])
    _, spans = spans_of(tmp_path / "t.json", tmp_path)
    session = named(spans, "session")[0]
    assert session["self_us"] == pytest.approx(200_001 - 8 * 20_000)
    assert all(span["parent"] == session["id"] for span in named(spans, "op"))


def test_an_argument_overwritten_later_still_finds_its_end(tmp_path: Path) -> None:
    records = [
        {"ph": "b", "ts": 1.0, "args": {"state": '"new"'}},
        {"ph": "b", "ts": 2.0, "args": {"state": '"old"'}},
        {"ph": "e", "ts": 3.0, "args": {"state": '"done"'}},
        {"ph": "e", "ts": 4.0, "args": {"state": '"failed"'}},
    ]
    common = {"pid": 1, "tid": 0, "id": 7, "cat": "m", "name": "x"}
    (tmp_path / "t.json").write_text(
        "[\n" + ",\n".join(json.dumps(common | record) for record in records) + "\n]"
    )
    summary, spans = spans_of(tmp_path / "t.json", tmp_path)
    assert (summary.unclosed, summary.orphan_ends) == (0, 0)
    assert [span["dur_us"] for span in spans] == [3, 1]
    assert [(span["file"], span["line"]) for span in spans] == [(None, None)] * 2


@pytest.mark.parametrize("keep", range(40, 260, 11))
def test_a_trace_cut_anywhere_keeps_its_whole_records(keep: int, tmp_path: Path) -> None:
    write_trace(tmp_path / "t.json", [Made("a", 0, 9, [Made("b", 2, 3)])])
    whole = (tmp_path / "t.json").read_bytes()
    kept = whole[:keep]
    (tmp_path / "t.json").write_bytes(kept)
    records = kept.count(b"}}")
    if not records:
        with pytest.raises(ProfileError, match="cut"):
            read_trace(tmp_path / "t.json", tmp_path / "out.parquet")
        return
    summary, spans = spans_of(tmp_path / "t.json", tmp_path)
    assert summary.cut == (b"\n]" not in kept)
    assert len(spans) + sum(span["closed"] for span in spans) == records


def test_slices_lose_no_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from fuselab.analysis.spans import trace_file

    monkeypatch.setattr(trace_file, "_FIRST_BYTES", 100)
    monkeypatch.setattr(trace_file, "_SLICE_BYTES", 3000)
    rng = random.Random(3)
    roots = [nested(rng, 1e4 * n, 1e4 * (n + 1), 0) for n in range(30)]
    write_trace(tmp_path / "t.json", roots)
    truth = {s.number: s.parent for r in roots for s in r.all()}
    assert (tmp_path / "t.json").stat().st_size > 5 * 3000
    assert parents_found(tmp_path / "t.json", tmp_path) == truth
