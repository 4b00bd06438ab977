"""The account adds up, and says in words where the time is that an on-CPU profile does not show."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from fuselab.analysis.account.captures import Captures, FioSide, Polled, Sampled
from fuselab.analysis.account.duration import duration
from fuselab.analysis.account.in_flight import OfOpcode
from fuselab.analysis.account.rows import OUTSIDE_SPANS, OUTSIDE_TARGET, Account, Row, account
from fuselab.analysis.account.words import headline, notes
from fuselab.analysis.folded import Folded
from fuselab.analysis.spans.flame import FlameFrame, read_flame
from fuselab.analysis.spans.functions import SpanKey
from fuselab.analysis.spans.totals import SpanTotal, TraceTotals, read_totals
from fuselab.analysis.spans.trace import read_trace
from fuselab.jobs.account import write

MS = 1_000_000
WRITE, EXTEND, COPY, STAGE = (
    SpanKey("vfs::fs", name) for name in ("write", "extend_file_size", "copy", "stage.one")
)
LINES = {WRITE: 10, EXTEND: 20, COPY: 30, STAGE: 40}


def span(key: SpanKey, wall_ms: int, parent: SpanKey | None, calls: int = 1000) -> SpanTotal:
    return SpanTotal(
        key, frozenset({("fs.rs", LINES[key])}), calls, wall_ms * MS, parent, {WRITE: wall_ms * MS}
    )


def frame(key: SpanKey, poll_ms: int) -> FlameFrame:
    return FlameFrame(str(key), key.name, "fs.rs", LINES[key], poll_ms * MS, poll_ms * MS)


def stacks(*parts: tuple[str, int]) -> Folded:
    return Folded({("worker", *stack.split(";")): ms * MS for stack, ms in parts}, "ns on CPU")


F_WRITE = "vfs::fs::Fs::write::{{closure}}"
F_EXTEND = "vfs::fs::Fs::extend_file_size::{{closure}}"
F_COPY = "vfs::fs::copy"


@pytest.fixture
def story() -> Captures:
    """The seed's: 4 s of waiting in extend_file_size; a copy and writev, half a second each, look like everything."""
    trace = TraceTotals(
        [span(WRITE, 520, None), span(EXTEND, 4020, WRITE), span(COPY, 510, WRITE)],
        {WRITE: (1000, 5050 * MS)},
    )
    return Captures(
        trace=trace,
        operations=1000,
        polled=Polled([frame(WRITE, 515), frame(EXTEND, 15), frame(COPY, 505)], 1000),
        # perf ran at twice the speed: 2,000 writes in its window.
        on_cpu=Sampled(
            stacks(
                (f"{F_WRITE};writev", 1000),
                (f"{F_WRITE};{F_EXTEND}", 20),
                (f"{F_WRITE};{F_COPY}", 1000),
                ("idle", 40),
            ),
            2000,
        ),
        blocked=Sampled(stacks(("epoll_wait", 9000)), 2000),
        preempted=Sampled(stacks((f"{F_WRITE};{F_COPY}", 6)), 2000),
        fio=[FioSide("write", 1000, 5.5 * MS)],
    )


def row(made: Account, key: SpanKey) -> Row:
    return next(row for row in made.rows if row.key == key)


def test_the_story_of_the_hidden_wait_is_told_in_words(story: Captures) -> None:
    made = account(story)
    said = headline(made)
    assert said.startswith(
        "Most of the wall time of `write`, 79%, is a wait in `extend_file_size` (`vfs::fs`)"
    )
    assert "on-CPU flamegraph does not show: 4 s in 1000 calls, 4 ms each." in said
    assert "On the CPU `extend_file_size` has 10 ms" in said
    assert "`writev` (50%) and `fs::copy` (50%) in its place" in said


def test_figures_are_brought_to_the_operations_of_the_trace(story: Captures) -> None:
    made = account(story)
    assert row(made, COPY).oncpu_ns == 500 * MS
    assert row(made, COPY).preempted_ns == 3 * MS
    assert row(made, EXTEND).oncpu_ns == 10 * MS
    assert row(made, OUTSIDE_SPANS).blocked_ns == 4500 * MS


def test_threads_with_nothing_to_do_are_blocked_in_no_operation(story: Captures) -> None:
    idle = Sampled(stacks(("fuse_dev_do_read_[k]", 8000), (f"{F_WRITE};fuse_dev_do_read_[k]", 400)), 2000)
    made = account(replace(story, idle=idle))
    outside = row(made, OUTSIDE_SPANS)
    assert (outside.idle_ns, outside.blocked_ns) == (4000 * MS, 4500 * MS)
    assert row(account(story), OUTSIDE_SPANS).idle_ns is None, "it was not captured"
    # One that waits for work in the midst of an operation holds that up.
    write = row(made, WRITE)
    assert (write.idle_ns, write.blocked_ns) == (None, 200 * MS)


def test_a_row_adds_up(story: Captures) -> None:
    for found in account(story).rows:
        if found.awaiting_ns is None:
            continue
        parts = (
            found.oncpu_ns,
            found.blocked_ns,
            found.preempted_ns,
            found.unexplained_ns,
            found.awaiting_ns,
        )
        assert sum(part or 0 for part in parts) == found.wall_ns


def test_time_outside_the_target_is_a_row_of_its_own(story: Captures) -> None:
    assert row(account(story), OUTSIDE_TARGET).wall_ns == (5500 - 5050) * MS


def in_flight(story: Captures, queued_ms: int, served_ms: int) -> Captures:
    """The 1000 writes of the story, 5050 ms of which are in their outermost span, as the kernel saw them."""
    asked = OfOpcode(
        "WRITE", 1000, 1000, 1000, in_flight_ns=(queued_ms + served_ms) * MS, queued_ns=queued_ms * MS
    )
    return replace(story, requests=(asked, OfOpcode("FORGET", 3, in_flight_ns=MS)))


def test_time_outside_the_target_is_measured_where_requests_were_looked_at_too(story: Captures) -> None:
    made = account(in_flight(story, queued_ms=100, served_ms=5100))
    assert row(made, OUTSIDE_TARGET).wall_ns == (5200 - 5050) * MS, "whatever fio says"
    assert [note for note in made.notes if "measured" in note and "100 ms of it in the queue" in note]
    assert not [note for note in made.notes if "does not cover" in note]


@pytest.mark.parametrize(("served_ms", "said"), [(5050, False), (5100, False), (5103, True), (8000, True)])
def test_an_outermost_span_that_leaves_out_a_hundredth_of_the_time_in_flight_is_named(
    story: Captures, served_ms: int, said: bool
) -> None:
    """The queue is in flight, too: of 5.2 s 0.05 s are too few, and of 5.203 s 0.053 s are enough."""
    notes = account(in_flight(story, 100, served_ms)).notes
    assert any("does not cover its request" in note for note in notes) == said


def test_what_an_outermost_span_leaves_out_is_told(story: Captures) -> None:
    (note,) = [note for note in account(in_flight(story, 100, 8000)).notes if "does not cover" in note]
    assert "`write` does not cover its request: it lasts 5.05 ms, and `WRITE` is served for 8 ms" in note
    assert "36% of the time in flight, is in no span" in note


def test_a_kernel_that_answers_first_leaves_no_row_but_a_note(story: Captures) -> None:
    made = account(replace(story, fio=[FioSide("write", 1000, 1.0 * MS)]))
    assert OUTSIDE_TARGET not in [found.key for found in made.rows]
    assert any("write-back" in note for note in made.notes)


def test_poll_above_wall_is_cut_off_and_shown(story: Captures) -> None:
    polled = Polled([frame(WRITE, 1280), frame(EXTEND, 15), frame(COPY, 505)], 1000)
    captures = replace(story, polled=polled)
    made = account(captures)
    found = row(made, WRITE)
    assert (found.poll_ns, found.poll_excess_ns, found.awaiting_ns) == (520 * MS, 760 * MS, 0)
    assert any("charged idle time to `vfs::fs::write`" in note for note in notes(captures, made))


def with_stage(story: Captures, name: str, poll_ms: int) -> tuple[Captures, SpanKey]:
    key = SpanKey("vfs::fs", name)
    stage = replace(span(STAGE, 300, COPY), key=key)
    trace = replace(story.trace, spans=[*story.trace.spans, stage])
    assert story.polled is not None
    made = replace(frame(STAGE, poll_ms), path=str(key), name=name)
    return replace(story, trace=trace, polled=replace(story.polled, frames=[*story.polled.frames, made])), key


@pytest.mark.parametrize(("name", "poll_ms"), [("stage.one", 1), ("prepare", 290)])
def test_a_span_made_by_hand_is_merged_into_the_function_around_it(
    story: Captures, name: str, poll_ms: int
) -> None:
    captures, key = with_stage(story, name, poll_ms)
    made = account(captures)
    assert row(made, key).merged_into == COPY
    assert row(made, key).oncpu_ns is None
    assert row(made, key).awaiting_ns == (300 - poll_ms) * MS
    assert row(made, COPY).unexplained_ns == (505 + poll_ms - 500 - 3) * MS


def test_a_function_that_never_ran_is_not_taken_for_made_by_hand(story: Captures) -> None:
    captures, key = with_stage(story, "flush", 2)
    assert row(account(captures), key).merged_into is None
    assert row(account(captures), key).oncpu_ns == 0


def test_a_span_inside_another_made_by_hand_goes_to_the_same_function(story: Captures) -> None:
    captures, outer = with_stage(story, "stage.one", 1)
    inner = replace(span(STAGE, 10, outer), key=SpanKey("vfs::fs", "stage.two"), places=frozenset())
    captures = replace(captures, trace=replace(captures.trace, spans=[*captures.trace.spans, inner]))
    assert row(account(captures), inner.key).merged_into == COPY


def test_what_was_not_captured_is_left_open_and_said(story: Captures) -> None:
    captures = replace(story, polled=None, blocked=None, preempted=None)
    made = account(captures)
    assert row(made, EXTEND).awaiting_ns is None
    assert row(made, EXTEND).unexplained_ns is None
    assert "Not captured: poll time, blocked time." in notes(captures, made)
    assert "Poll time was not captured" in headline(made)


def test_runs_that_cannot_be_brought_to_one_load_give_no_figure(story: Captures) -> None:
    assert story.on_cpu is not None
    captures = replace(story, on_cpu=replace(story.on_cpu, operations=0))
    made = account(captures)
    assert row(made, COPY).oncpu_ns is None
    assert any("without a count of operations" in note and "on-CPU" in note for note in notes(captures, made))


def test_poll_time_of_the_traces_own_run_needs_no_count_of_operations(story: Captures) -> None:
    """A command has none; spans and polls of one run still belong together."""
    assert story.on_cpu is not None
    assert story.polled is not None
    captures = replace(
        story, operations=0, fio=(), polled=replace(story.polled, operations=0),
        on_cpu=replace(story.on_cpu, operations=0), blocked=None, preempted=None,
    )  # fmt: skip
    made = account(captures)
    assert row(made, EXTEND).awaiting_ns == 4005 * MS
    (said,) = (note for note in notes(captures, made) if "without a count of operations" in note)
    assert "on-CPU time" in said
    assert "poll time" not in said


def test_no_wait_is_invented_where_there_is_none(story: Captures) -> None:
    assert story.polled is not None
    busy = [frame(WRITE, 515), frame(EXTEND, 4015), frame(COPY, 505)]
    said = headline(account(replace(story, polled=replace(story.polled, frames=busy))))
    assert said.startswith("No large wait hides")


def test_a_long_wait_in_one_rare_request_is_no_headline(story: Captures) -> None:
    """One fsync at the end of the load waits for the disk; it is nothing beside ten thousand writes."""
    sync = SpanKey("vfs::fs", "fsync")
    once = SpanTotal(sync, frozenset({("fs.rs", 50)}), 1, 80 * MS, None, {sync: 80 * MS})
    trace = TraceTotals([span(WRITE, 5050, None), once], {WRITE: (1000, 5050 * MS), sync: (1, 80 * MS)})
    busy = Polled([frame(WRITE, 5040)], 1000)
    said = headline(account(replace(story, trace=trace, polled=busy)))
    assert said.startswith("No large wait hides from on-CPU profiles: the longest, in `fsync`, is 100%")
    assert "2% of that of all requests" in said


def test_the_files_hold_what_the_report_reads(story: Captures, tmp_path: Path) -> None:
    made = account(story)
    write(tmp_path, story, made)
    table = pq.read_table(tmp_path / "blindspots.parquet").to_pylist()
    assert [line["name"] for line in table] == [
        "extend_file_size", "write", "copy", "(outside any span)", "(outside the target)",
    ]  # fmt: skip
    assert table[0]["awaiting_ns"] == 4005 * MS
    assert table[0]["wall_share"] == pytest.approx(4020 / 5050)
    assert table[-1]["oncpu_ns"] is None
    said = json.loads((tmp_path / "blindspots.json").read_text())
    assert said["headline"] == headline(made)
    assert said["notes"]


def names(made: Account, figure: str) -> Sequence[str]:
    """Spans by a figure, the largest first."""
    rows = [found for found in made.rows if getattr(found, figure)]
    return [found.key.name for found in sorted(rows, key=lambda found: -getattr(found, figure))]


def test_a_real_run_with_both_layers_shows_its_planted_waits_and_its_work(
    golden: Path, tmp_path: Path
) -> None:
    flame = read_flame(golden / "flame" / "flame.folded")
    read_trace(golden / "chrome" / "async.json", tmp_path / "spans.parquet", flame.edges)
    with duckdb.connect() as connection:
        connection.execute(f"create view spans as from '{tmp_path}/spans.parquet'")
        totals = read_totals(connection)
    made = account(Captures(totals, operations=4, polled=Polled(flame.frames, 4)))
    # put waits for 31 ms and extend_file_size for 16; sync blocks its thread for 5 ms, copy computes for 8.
    assert names(made, "awaiting_ns")[:2] == ["put", "extend_file_size"]
    assert names(made, "poll_ns")[:2] == ["copy", "sync"]
    for planted in ("copy", "sync"):
        found = row(made, SpanKey("disk" if planted == "sync" else "traced::fs", planted))
        assert (found.awaiting_ns or 0) < 0.05 * (found.wall_ns or 0)


@pytest.mark.parametrize(
    ("ns", "text"),
    [(4_020_000_000, "4.02 s"), (4_100_000, "4.1 ms"), (310_000, "310 µs"), (12, "12 ns"), (0, "0 ns")],
)
def test_durations_read_well(ns: int, text: str) -> None:
    assert duration(ns) == text
