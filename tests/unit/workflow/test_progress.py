"""What is said of a call while it goes on: time is counted, by how long jobs take here."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from fuselab.records.look import Look
from fuselab.workflow.estimate import Part
from fuselab.workflow.progress import Progress
from fuselab.workflow.telling import Event, event_of
from fuselab.workflow.time_left import TimeLeft


def blocks(wanted: int, *, done: int = 0, each_s: float | None = 10.0, auto: bool = False) -> Part:
    return Part("blocks", "seq", done, wanted, each_s, None, False, auto)


def block(number: int, experiment: str = "e") -> Event:
    wildcards = {"experiment": experiment, "workload": "seq", "number": f"{number:03d}"}
    return Event("begun", number, "time_block", wildcards, f"{experiment}: time block {number:03d} of seq")


def build(name: str, job: int = 90) -> Event:
    return Event("begun", job, "build", {"target": "fs", "build": name}, f"build fs: {name}")


def test_it_says_which_block_of_how_many_and_for_how_long():
    progress = Progress({"e": [blocks(12, done=6)]})
    progress.begun(block(7), 100.0)
    assert (progress.what, progress.left(100.0)) == ("block 7 of 12 under seq", "about 1 min left")


def test_time_goes_on_within_a_job_but_a_slow_job_takes_nothing_of_the_others():
    progress = Progress({"e": [blocks(4, each_s=100.0)]})
    progress.begun(block(1), 0.0)
    assert progress.left(0.0) == "about 7 min left"
    assert progress.left(70.0) == progress.left(0.0).replace("7", "6")  # 330 s, to the minute
    assert progress.left(1000.0) == "about 5 min left"


def test_what_jobs_took_here_counts_more_than_what_was_expected():
    progress = Progress({"e": [blocks(5)]})
    progress.begun(block(1), 0.0)
    progress.ended(1, 60.0)
    assert progress.left(60.0) == "about 4 min left"


def test_a_look_may_stop_early_and_both_ends_are_said_until_it_has_decided():
    progress = Progress({"e": [blocks(32, each_s=60.0, auto=True)]})
    progress.begun(block(1), 0.0)
    assert progress.what == "block 1 of 12 to 32 under seq"
    assert progress.left(0.0) == "about 12 min to 32 min left"
    for number in range(1, 13):
        progress.begun(block(number), 0.0)
        progress.ended(number, 60.0)
    progress.looked("e", "seq", Look(blocks=12, next=20))
    progress.begun(block(13), 0.0)
    assert progress.what == "block 13 of 20 to 32 under seq"
    assert progress.left(0.0) == "about 8 min to 20 min left"
    for number in range(13, 21):
        progress.begun(block(number), 0.0)
        progress.ended(number, 60.0)
    progress.looked("e", "seq", Look(blocks=20, next=None))
    assert progress.left(0.0) == ""


def test_a_build_that_nobody_has_timed_is_said_and_not_guessed():
    parts = [Part("build", "fs/new", 0, 1, None, None, False), blocks(6)]
    progress = Progress({"e": parts})
    progress.begun(build("new"), 0.0)
    assert progress.left(0.0) == "about 1 min and a job of unknown length left"
    progress.ended(90, 900.0)
    assert progress.left(900.0) == "about 1 min left"


def test_captures_that_nothing_tells_of_yet_take_as_long_as_those_of_this_call():
    names = ("a", "b", "c")
    progress = Progress(
        {"e": [Part("captures", f"{v}, seq: perf-oncpu", 0, 1, None, None, False) for v in names]}
    )
    assert progress.left(0.0) == "3 jobs of unknown length left"
    wildcards = {"experiment": "e", "variant": "b", "workload": "seq", "profilers": "perf-oncpu"}
    progress.begun(Event("begun", 7, "capture", wildcards, "capture perf-oncpu of b"), 0.0)
    progress.ended(7, 15.0)
    assert progress.left(15.0) == "about 30 s left"
    progress.begun(
        Event("begun", 8, "capture", {**wildcards, "variant": "a"}, "capture perf-oncpu of a"), 15.0
    )
    assert progress.left(25.0) == "about 20 s left"


def test_a_build_that_two_experiments_share_is_counted_once():
    part = Part("build", "fs/new", 0, 1, 600.0, None, True)
    assert Progress({"one": [part], "two": [part]}).left(0.0) == "about 10 min left"


def test_of_several_experiments_it_says_which():
    progress = Progress({"one": [blocks(2)], "two": [blocks(2)]})
    progress.begun(block(1, "two"), 0.0)
    assert progress.what == "two: block 1 of 2 under seq"


def record(level: int, **said: object) -> logging.LogRecord:
    made = logging.LogRecord("snakemake", level, "", 0, "words", None, None)
    vars(made).update(said)
    return made


@pytest.mark.parametrize(
    ("told", "kind"),
    [
        (record(logging.ERROR, event="error"), "refused"),
        (record(logging.ERROR), "refused"),
        (record(logging.ERROR, event="error", exception="RuleException"), None),
        (record(logging.INFO, event="progress", done=1, total=2), None),
        (record(logging.INFO), None),
        (record(logging.ERROR, event="job_error", jobid=3, rule_name="build", log=["a.log"]), "failed"),
        (record(logging.INFO, event="job_finished", job_id=3), "done"),
    ],
)
def test_only_what_can_be_followed_is_told(told, kind):
    event = event_of(told)
    assert (event.kind if event else None) == kind


def test_snakemake_says_of_each_job_that_is_reckoned_how_long_all_will_take(tmp_path: Path):
    clock = iter([0.0, 0.0, 60.0, 60.0])
    screen = TimeLeft(Progress({"e": [blocks(3)]}), tmp_path, lambda: next(clock))

    def said(number: int, rule: str = "time_block") -> str:
        wildcards = {"experiment": "e", "workload": "seq", "number": f"{number:03d}"}
        begun = record(
            logging.INFO, event="job_info", jobid=number, rule_name=rule, wildcards=wildcards, rule_msg=rule
        )
        assert screen.filter(begun)
        return str(vars(begun)["rule_msg"])

    assert said(1) == "time_block, about 30 s left"
    assert said(90, "metrics") == "metrics", "what takes a second says nothing of it"
    assert screen.filter(record(logging.INFO, event="job_finished", job_id=1))
    assert said(2) == "time_block, about 2 min left"
