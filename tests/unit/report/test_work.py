"""What is counted, in words: a sentence of what differs, a table of everything, nothing where nothing was counted."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from fuselab.records.comparison import Comparison
from fuselab.records.contrast import Contrast
from fuselab.records.work import Counted, Work
from fuselab.report import work
from fuselab.report.inputs import ReportInputs
from fuselab.report.overview import write_overview
from fuselab.report.page import verdicts
from fuselab.report.page.work import section
from fuselab.report.reading import Results
from fuselab.report.summary import write_summary

WAITING, CONTROL = Contrast("baseline", "waiting"), Contrast("baseline", "control")
ROW = Comparison(
    "e", "seq-write", "baseline", "waiting", "work.fdatasync_per_op", "1", "lower", 8,
    verdict="more work", family="work", typical_baseline=0.0, typical=1.0,
)  # fmt: skip


def plain(text: str) -> str:
    return re.sub("[\N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}]", " ", text)


@pytest.mark.parametrize(
    ("metric", "unit", "before", "after", "said"),
    [
        ("work.fdatasync_per_op", "1", 0.0, 1.0, "1 more `fdatasync` (0 to 1)"),
        ("work.fdatasync_per_op", "1", 1.0, 0.0, "1 fewer `fdatasync` (1 to 0)"),
        ("work.fsync_per_op", "1", 0.0, 0.01, "1 more `fsync` in 100 operations (0 to 0.01)"),
        ("work.fsync_per_op", "1", 3 / 128, 0.0, "3 fewer `fsync` in 128 operations (0.0234 to 0)"),
        ("work.fsync_per_op", "1", 0.0, 0.0109, "about 1 more `fsync` in 92 operations (0 to 0.0109)"),
        ("work.fuse_requests.FSYNC_per_op", "1", 0.0, 1.0, "1 more `FSYNC` request (0 to 1)"),
        (
            "work.fuse_requests.FSYNC_per_op",
            "1",
            0.0,
            1 / 64,
            "1 more `FSYNC` request in 64 operations (0 to 0.0156)",
        ),
        (
            "work.service.fuse_requests.READ_per_op",
            "1",
            1.0,
            1 + 3 / 64,
            "3 more `READ` requests of the service in 64 operations (1 to 1.05)",
        ),
        ("work.fuse_requests_per_op", "1", 1.0, 33.0, "32 more FUSE requests (1 to 33)"),
        ("work.fuse_requests.WRITE_per_op", "1", 1.0, 1.5, "0.5 more `WRITE` requests (1 to 1.5)"),
        ("work.service.counter.range_per_op", "1", 2.0, 4.0, "2 more `range` of the service (2 to 4)"),
        ("work.disk_write_bytes_per_op", "B", 4096, 8192, "4 KiB more written to disk (4 KiB to 8 KiB)"),
        ("work.disk_write_bytes_per_op", "B", 0.0, 0.05, "0.05 B more written to disk (0 B to 0.05 B)"),
        ("work.cpu_ns_per_op", "ns", 193e3, 93e3, "100 µs less CPU time (193 µs to 93 µs)"),
        (
            "work.write_amplification",
            "1",
            1.0,
            1.5,
            "0.5 more bytes written to disk per byte of the load (1 to 1.5)",
        ),
        ("work.peak_memory_bytes", "B", 2**20, 3 * 2**20, "in all 2 MiB more peak memory (1 MiB to 3 MiB)"),
    ],
)
def test_a_difference_is_told_with_what_it_goes_from_and_to(
    metric: str, unit: str, before: float, after: float, said: str
):
    verdict = "more work" if after > before else "less work"
    row = replace(ROW, metric=metric, unit=unit, typical_baseline=before, typical=after, verdict=verdict)
    assert plain(work.clause(row)) == said


def test_what_a_program_counts_itself_comes_before_requests_and_those_before_calls_whatever_their_size():
    changes = {
        "work.peak_memory_bytes": (1.0, 90.0),
        "work.cpu_ns_per_op": (1.0, 80.0),
        "work.futex_per_op": (0.0, 1.0),
        "work.service.fdatasync_per_op": (0.0, 7.0),
        "work.fuse_requests.FSYNC_per_op": (1.0, 1.5),
        "work.fuse_requests.GETATTR_per_op": (1.0, 2.0),
        "work.service.counter.range_per_op": (4.0, 5.0),
        "work.counter.commits_per_op": (4.0, 3.0),
    }
    rows = [
        replace(ROW, metric=metric, typical_baseline=before, typical=after)
        for metric, (before, after) in changes.items()
    ]
    told = [row.metric.removeprefix("work.").removesuffix("_per_op") for row in work.mattering(rows)]
    assert told == [
        "counter.commits", "service.counter.range", "fuse_requests.GETATTR", "fuse_requests.FSYNC",
        "service.fdatasync", "futex", "cpu_ns", "peak_memory_bytes",
    ]  # fmt: skip


def test_a_call_for_each_operation_comes_before_one_of_a_whole_run():
    once = replace(ROW, typical=1 / 10_000)
    doubled = replace(ROW, typical_baseline=1.0, typical=2.0)
    assert work.size(doubled) > work.size(once)
    assert work.size(replace(ROW, typical=1.0)) > work.size(doubled)


def test_a_name_that_is_looked_up_once_more_in_a_run_comes_behind_what_each_operation_costs():
    lookup = replace(
        ROW, metric="work.fuse_requests.LOOKUP_per_op", typical_baseline=4 / 512, typical=5 / 512
    )
    clock = replace(ROW, metric="work.clock_gettime_per_op", typical=177.0)
    fsync = replace(ROW, metric="work.fuse_requests.FSYNC_per_op", typical=1 / 128)
    assert work.mattering([lookup, clock, fsync]) == [fsync, clock, lookup]


def test_the_first_screen_says_in_one_sentence_what_differs_and_leads_to_all(results: Results):
    view = next(view for view in verdicts.verdict_views(results)[0] if view.clauses)
    assert view.word == "slower"
    said = plain(view.said).removeprefix(plain(view.sentence))
    assert said.startswith(
        ": each write costs 406 µs more suspended in `extend_file_size` (2.04 µs to 408 µs), "
        "1 more `FSYNC` request in 128 writes (0 to 0.00781), 1 more `fdatasync` (0 to 1), "
    )
    counted = [link for _, link in view.clauses if link.href == work.SECTION]
    assert counted[-1].label.replace("\N{NO-BREAK SPACE}", " ") == "a change in 1 other counter"
    assert len(counted) == work.MOST + 1
    assert ". 6 blocks, " in said


def test_more_of_one_and_less_of_another_is_not_called_one_of_them(standard: ReportInputs):
    results = Results(standard)
    rows = [
        row if row.family == "work" else replace(row, verdict="inconclusive") for row in results.comparisons
    ]
    fewer = replace(ROW, metric="work.futex_per_op", typical_baseline=5.0, typical=1.0, verdict="less work")
    results.__dict__["comparisons"] = (*rows, replace(fewer, experiment=rows[0].experiment))
    assert "more and less work" in [view.word for view in verdicts.verdict_views(results)[0]]


def test_what_is_less_than_the_threshold_stands_in_the_table_alone(results: Results):
    below = [row for row in work.counted(results) if row.verdict == "more work, below threshold"]
    assert below
    assert not {*below} & {*work.differing(results, WAITING, "seq-write")}


def test_the_table_has_every_counter_those_that_differ_first(results: Results):
    view = section(results, ())
    assert view is not None
    assert view.table is not None
    rows = work.counted(results)
    assert len(view.table.rows) == len(rows) == 2 * 19
    differ = [row.differs for row in rows]
    assert differ == sorted(differ, reverse=True)
    assert [row.metric for row in rows[:2]] == ["work.fuse_requests.FSYNC_per_op", "work.fdatasync_per_op"]
    assert plain(view.notes[1]).startswith(
        "`control` against `baseline` under `seq-write`: 0 counters of 19 differ"
    )


def test_nothing_counted_is_no_section(awkward: ReportInputs):
    assert section(Results(awkward), ()) is None


def test_counters_are_no_timed_metrics(results: Results, standard_page: Path):
    assert not [row for row in verdicts.primary_rows(results) if row.family == "work"]
    text = standard_page.read_text()
    every_metric = text[text.index('id="comparisons"') : text.index('id="runs"')]
    assert "fdatasync" not in every_metric
    assert 'href="#work"' in text


def test_a_difference_of_counts_stands_alone_where_no_clock_tells(standard: ReportInputs):
    results = Results(standard)
    undecided = tuple(
        row if row.family == "work" else replace(row, verdict="inconclusive") for row in results.comparisons
    )
    results.__dict__["comparisons"] = undecided
    words = [view.word for view in verdicts.verdict_views(results)[0]]
    assert words == ["inconclusive", "more work", "inconclusive"]
    alone = verdicts.verdict_views(results)[0][1]
    assert alone.sentence == "`waiting` against `baseline`"
    assert alone.clauses


def test_a_control_that_counts_differently_is_an_alarm(standard: ReportInputs):
    results = Results(standard)
    odd = replace(ROW, variant="control")
    results.__dict__["comparisons"] = (*results.comparisons, odd)
    assert any(
        "counts differ under `seq-write`: 1 more `fdatasync` (0 to 1)" in plain(a)
        for a in verdicts.alarms(results)
    )


def test_the_summary_has_the_sentence_and_the_counters_that_differ(standard: ReportInputs, tmp_path: Path):
    write_summary(standard, tmp_path / "summary.md", tmp_path / "summary.json")
    summary = json.loads((tmp_path / "summary.json").read_text())
    (said,) = summary["found"]
    assert plain(said).startswith("`waiting` writes 3.3 × slower than `baseline` (")
    assert ": each write costs 406 µs more suspended in `extend_file_size`" in plain(said)
    assert ", 1 more `fdatasync` (0 to 1), " in plain(said)
    assert said in (tmp_path / "summary.md").read_text()
    second = summary["work"][1]
    assert (second["metric"], second["typical_baseline"], second["typical"]) == (
        "work.fdatasync_per_op",
        0.0,
        1.0,
    )
    assert {row["verdict"] for row in summary["work"]} == {"more work", "more work, below threshold"}
    assert not [row for row in summary["comparisons"] if row["metric"].startswith("work.")]


def test_links_of_the_front_page_lead_into_the_report(tree: Path, standard_page: Path):
    out = tree / "front.html"
    write_overview(tree, ["hidden-wait"], {}, out)
    assert 'href="hidden-wait/report.html#work"' in out.read_text()
    assert 'href="#work"' not in out.read_text()


def test_which_work_it_was_and_what_was_not_counted_is_said_with_the_reason(standard: ReportInputs):
    results = Results(standard)
    (workload,) = results.plan.workloads
    twin = replace(workload, work_spec="0" * 12, work="256 I/Os of 128k instead of 3 s")
    results.plan = replace(results.plan, workloads=(twin,))
    whole = Work(512, 1, 1, Counted(), unavailable={"instructions": "no PMU", "cache_misses": "no PMU"})
    lost = replace(whole, unavailable={**whole.unavailable, "syscalls": "perf lost 3 records"})
    results.__dict__["works"] = {"seq-write": (whole, lost)}
    view = section(results, ())
    assert view is not None
    assert view.notes[-3:] == (
        "Counted of `seq-write`: 256 I/Os of 128k instead of 3 s.",
        "Not counted of `seq-write`: `instructions` and `cache_misses`: no PMU.",
        "Not counted of `seq-write` in 1 of 2 runs: `syscalls`: perf lost 3 records.",
    )


def test_what_a_bench_does_is_an_iteration(standard: ReportInputs) -> None:
    results = Results(standard)
    (load,) = results.plan.workloads
    assert work.operation(results, load.name) == "write"
    results.comparisons = ()
    assert work.operation(results, load.name) == "operation"
    results.plan = replace(results.plan, workloads=(replace(load, kind="criterion"),))
    assert work.operation(results, load.name) == "iteration"
