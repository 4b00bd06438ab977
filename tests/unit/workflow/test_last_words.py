"""What a call ends with: verdicts in words, with their reasons, and the page."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from fuselab.files import write_json
from fuselab.records.places import Home
from fuselab.records.summary import Summary, SummaryRow
from fuselab.workflow.last_words import MOST, last_words, verdicts

ROW = SummaryRow(
    "w", "old", "new", "write.bw", "B/s", "higher", "slower", 0.9, 0.88, 0.92, 0.95, 12, False,
    "`new` writes 10 % slower than `old` (8 to 12 %).",
)  # fmt: skip
SUMMARY = Summary("trial", "Is it?", "", "", (), 0.05, 12, 0, (), (ROW,))


def test_a_verdict_and_the_page_without_marks_of_code(tmp_path: Path):
    home = Home(tmp_path)
    write_json(home.summary, SUMMARY)
    assert list(last_words(home)) == [
        "trial: Is it?",
        "  new writes 10 % slower than old (8 to 12 %).",
        f"  the report: {home.report}",
    ]


def test_a_verdict_is_said_once_with_its_reason():
    because = f"{ROW.sentence.rstrip('.')}; it makes 3 system calls more per write."
    beside = "`other` makes 2 system calls more per write."
    assert list(verdicts(replace(SUMMARY, found=(because, beside)))) == [
        "new writes 10 % slower than old (8 to 12 %); it makes 3 system calls more per write.",
        "other makes 2 system calls more per write.",
    ]


def test_of_several_loads_each_verdict_says_under_which_and_gets_its_own_reason():
    other = replace(ROW, workload="v")
    because = f"{ROW.sentence.rstrip('.')}, under `v`. Each write makes 3 system calls more."
    assert list(verdicts(replace(SUMMARY, comparisons=(ROW, other), found=(because,)))) == [
        "new writes 10 % slower than old (8 to 12 %), under w.",
        "new writes 10 % slower than old (8 to 12 %), under v. Each write makes 3 system calls more.",
    ]


def test_what_must_be_read_before_the_verdicts_comes_first(tmp_path: Path):
    home = Home(tmp_path)
    write_json(home.summary, replace(SUMMARY, alarms=("The control differs.",)))
    assert list(last_words(home))[1] == "  doubt what follows: The control differs."


def test_that_a_variant_failed_which_nothing_is_compared_with_is_said(tmp_path: Path):
    home = Home(tmp_path)
    write_json(
        home.summary,
        replace(SUMMARY, comparisons=(), failures=("`a` failed in 3 of 3 runs under `w`: no x.",)),
    )
    assert list(last_words(home))[1] == "  a failed in 3 of 3 runs under w: no x."


def test_of_many_those_that_say_most_are_said_and_the_rest_is_counted():
    quiet = replace(ROW, verdict="no difference shown", sentence="`same` is as fast.")
    said = list(verdicts(replace(SUMMARY, comparisons=(*(quiet,) * 30, ROW))))
    assert len(said) == MOST + 1
    assert said[0].startswith("new writes 10 % slower")
    assert said[-1] == "and 19 more"


def test_a_variant_that_failed_under_a_load_is_named_once_for_all_of_its_metrics():
    failed = replace(ROW, verdict="failed", sentence="`new` failed in 3 of 3 runs: no line.")
    elsewhere = replace(failed, workload="v")
    rows = (failed, replace(failed, metric="write.p99"), ROW, elsewhere)
    assert list(verdicts(replace(SUMMARY, comparisons=rows))) == [
        "new failed in 3 of 3 runs: no line, under w.",
        "new writes 10 % slower than old (8 to 12 %), under w.",
        "new failed in 3 of 3 runs: no line, under v.",
    ]
