"""Verdicts in words."""

import shlex
from dataclasses import replace

import pytest

from fuselab.records.comparison import Comparison
from fuselab.report import words
from fuselab.report.context import VerdictView
from fuselab.report.inputs import ReportInputs
from fuselab.report.page import verdicts
from fuselab.report.reading import Results

ROW = Comparison(
    experiment="e",
    workload="seq-write",
    baseline="baseline",
    variant="waiting",
    metric="write.bw",
    unit="B/s",
    better="higher",
    blocks=12,
    ratio=0.69,
    ratio_low=0.65,
    ratio_high=0.72,
    verdict="slower",
    level=0.95,
)
NOTHING = float("nan")


def plain(text: str) -> str:
    return text.replace("\N{NO-BREAK SPACE}", " ")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "`waiting` writes 31 % slower than `baseline` (28 to 35 %, 95 % interval)"),
        (
            {"verdict": "faster", "ratio": 2.4, "ratio_low": 2.2, "ratio_high": 2.6},
            "`waiting` writes 2.4 × as fast as `baseline` (2.2 to 2.6 ×, 95 % interval)",
        ),
        (
            {"verdict": "faster", "ratio": 1.91, "ratio_low": 1.7, "ratio_high": 2.2},
            "`waiting` writes 1.9 × as fast as `baseline` (1.7 to 2.2 ×, 95 % interval)",
        ),
        (
            {"ratio": 0.16, "ratio_low": 0.15, "ratio_high": 0.18, "typical_baseline": 890.0 * 2**20}
            | {"typical": 142.0 * 2**20},
            "`waiting` writes 6.2 × slower than `baseline` (from 890 MiB/s to 142 MiB/s; 5.6 to 6.7 ×, 95 % interval)",
        ),
        (
            {"metric": "command.wall_s", "better": "lower", "verdict": "faster", "ratio": 0.4}
            | {"ratio_low": 0.38, "ratio_high": 0.41},
            "`waiting` runs the command in 0.40 × the time of `baseline` (0.38 to 0.41 ×, 95 % interval)",
        ),
        (
            {"metric": "command.wall_s", "better": "lower", "ratio": 9.4, "ratio_low": 7.6, "ratio_high": 13},
            "`waiting` runs the command in 9.4 × the time of `baseline` (7.6 to 13 ×, 95 % interval)",
        ),
        (
            {"metric": "command.wall_s", "better": "lower", "verdict": "faster"},
            "`waiting` runs the command in 31 % less time than `baseline` (28 to 35 %, 95 % interval)",
        ),
        (
            {"verdict": "slower, below threshold", "ratio": 0.98, "ratio_low": 0.97, "ratio_high": 0.99},
            "`waiting` writes 2 % slower than `baseline` (1.0 to 3.0 %, 95 % interval), below threshold",
        ),
        (
            {"metric": "write.p99", "better": "lower", "ratio": 1.31, "ratio_low": 1.28, "ratio_high": 1.35},
            "`waiting` against `baseline`: p99 write latency is 31 % higher (28 to 35 %, 95 % interval): slower",
        ),
        (
            {
                "verdict": "no difference shown",
                "ratio": 1.0,
                "ratio_low": 0.988,
                "ratio_high": 1.02,
                "level": 0.978,
            },
            "`waiting` against `baseline`: no difference shown in write bandwidth "
            "(−1.2 to +2.0 %, 97.8 % interval, inside ±5 %)",
        ),
        (
            {"verdict": "inconclusive", "ratio": 0.97, "ratio_low": 0.9, "ratio_high": 1.04},
            "`waiting` against `baseline`: inconclusive in write bandwidth (−10 to +4 %, 95 % interval)",
        ),
        (
            {"verdict": "inconclusive", "ratio": NOTHING, "ratio_low": NOTHING, "ratio_high": NOTHING},
            "`waiting` against `baseline`: inconclusive in write bandwidth",
        ),
        (
            {"verdict": "failed", "note": "failed its verifying run: bad header\nERROR demofs: ..."},
            "`waiting` failed its verifying run: bad header",
        ),
        (
            {"verdict": "failed", "note": "hung in 3 of 3 runs: hung: no progress for 20 s"},
            "`waiting` hung in 3 of 3 runs: hung: no progress for 20 s",
        ),
        (
            {
                "verdict": "failed",
                "note": "failed: it ended early: demofs (exit code 3). Its last words:\n  gone",
            },
            "`waiting` failed: it ended early: demofs (exit code 3)",
        ),
        (
            {"verdict": "failed", "note": "failed: it ended early: demofs (exit code 3):\n  gone"},
            "`waiting` failed: it ended early: demofs (exit code 3)",
        ),
    ],
)
def test_a_verdict_is_one_sentence_with_its_interval_and_level(changes, said):
    assert plain(verdicts.sentence(replace(ROW, **changes), 0.05)) == said


def test_the_word_same_is_never_printed(standard_page):
    assert " same as " not in standard_page.read_text()


def test_controls_come_last_and_are_called_controls(results: Results):
    views, _ = verdicts.verdict_views(results)
    assert [view.control for view in views] == [False, True]
    assert views[-1].sentence.startswith("Control `control` against `baseline`")


def test_the_sentence_ends_with_blocks_voided_attempts_and_what_the_control_says(results: Results):
    views, _ = verdicts.verdict_views(results)
    control = next(row for row in results.comparisons if row.variant == "control")
    ends = words.change_interval(*control.interval[1:])
    said = plain(f". 6 blocks, 1 attempt voided; control: {control.verdict} ({ends}).")
    assert plain(views[0].said).endswith(said)


@pytest.mark.parametrize(("low", "high", "far"), [(0.90, 1.08, True), (0.80, 1.08, False), (1.0, 1.0, True)])
def test_an_inconclusive_control_is_put_into_proportion(
    results: Results, low: float, high: float, far: bool
) -> None:
    """A difference of 0.4 to 0.6 is far from what the control leaves open up to the cube root of 0.6, 0.84."""
    row = replace(ROW, verdict="slower", ratio=0.5, ratio_low=0.4, ratio_high=0.6)
    control = replace(ROW, verdict="inconclusive", ratio=1.0, ratio_low=low, ratio_high=high)
    said = ", and the difference is far larger" if far else ""
    assert verdicts._in_proportion(row, [control]) == said
    assert not verdicts._in_proportion(replace(row, verdict="inconclusive"), [control])
    assert not verdicts._in_proportion(row, [replace(control, verdict="no difference shown")])


def test_a_difference_that_nothing_explains_says_so_where_there_was_something_to_look_at(
    standard: ReportInputs,
):
    """The profiles of both sides are there, and their tables say nothing of an operation."""
    results = Results(standard)
    results.__dict__["comparisons"] = tuple(
        r for r in results.comparisons if not (r.family == "work" and r.differs)
    )
    results.__dict__["blindspots"] = {}
    view = verdicts.verdict_views(results)[0][0]
    assert view.word == "slower"
    assert view.said.endswith(". Nothing that was captured or counted explains it.")
    results.__dict__["comparisons"] = tuple(r for r in results.comparisons if r.family != "work")
    results.__dict__["profiles"] = {}
    assert "explains" not in verdicts.verdict_views(results)[0][0].said


def test_what_is_noted_of_all_contrasts_is_said_once(results: Results):
    views, shared = verdicts.verdict_views(results)
    assert shared == ("Closed-loop load: a tail found here hides queueing.",)
    assert not any(view.notes for view in views)


def test_counts_without_a_clock_do_not_hide_what_is_noted_of_every_time():
    """A machine that was never quiet must be read of, however many counted differences stand between."""
    timed = VerdictView("open", "?", "inconclusive", "", notes=("No block had a quiet machine.",))
    counted = VerdictView("slower", "+", "more work", "")
    assert verdicts.shared_notes([timed, counted, timed, counted]) == timed.notes


def test_what_differs_is_said_first_and_stays_where_there_are_many_verdicts(
    standard: ReportInputs, monkeypatch: pytest.MonkeyPatch
):
    """Of several figures that decide, one that is open must not stand for one that is 20 times worse."""
    results = Results(standard)
    rows = [r for r in verdicts.primary_rows(results) if r.variant == "waiting"]
    open_, differs = (
        replace(rows[0], verdict="inconclusive"),
        replace(rows[-1], verdict="slower", ratio=0.05, ratio_low=0.04, ratio_high=0.06),
    )
    later = replace(differs, metric="zz.rate")
    results.__dict__["comparisons"] = (open_, differs, later)
    results.__dict__["plan"] = replace(results.plan, primary=())
    (view, *_), _ = verdicts.verdict_views(results)
    assert view.word == "slower"
    assert [said.count("slower") for said in view.others] == [1, 0]
    monkeypatch.setattr(verdicts, "MANY", 0)
    (view, *_), _ = verdicts.verdict_views(results)
    assert [said.count("slower") for said in view.others] == [1]


def test_a_control_that_agrees_with_its_baseline_raises_no_alarm(results: Results):
    assert verdicts.alarms(results) == ()


def test_a_control_that_differs_raises_an_alarm_that_names_it(awkward: ReportInputs):
    (alarm,) = verdicts.alarms(Results(awkward))
    assert "`control`" in alarm
    assert "doubt every verdict" in alarm


def test_an_exploratory_metric_of_the_control_raises_no_alarm(awkward: ReportInputs):
    results = Results(awkward)
    results.comparisons = tuple(row for row in results.comparisons if row.metric not in results.plan.primary)
    assert any(row.excludes_no_change for row in results.comparisons if row.variant == "control")
    assert verdicts.alarms(results) == ()


def test_a_failed_variant_shows_the_last_lines_of_its_log(awkward: ReportInputs):
    views, _ = verdicts.verdict_views(Results(awkward))
    (failed,) = [view for view in views if view.kind == "failed"]
    assert "ERROR demofs::chunks: chunk 2 is short" in failed.log
    assert failed.by_hand == shlex.join(["fuselab", "hold", "awkward", "--variant", failed.cell[1]])
    assert not any(view.by_hand for view in views if view is not failed)


def test_of_two_notes_of_which_one_goes_on_with_more_that_one_is_said() -> None:
    busy, corrected = "no block had a quiet machine", "the interval leaves out 0 by itself"
    notes = [busy, f"{busy}; {corrected}", busy, "not shown: too few"]
    assert verdicts.longest_notes(notes) == [f"{busy}; {corrected}", "not shown: too few"]
