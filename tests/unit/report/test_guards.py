"""Guards where people read them: one line each on the page, in the summary, and in a pull request's comment."""

from dataclasses import replace
from pathlib import Path

import pytest

from fuselab.files import read_json, write_json
from fuselab.records.comparison import Comparison
from fuselab.records.plan import AcceptPlan
from fuselab.records.summary import Summary
from fuselab.records.table import write_rows
from fuselab.report.comment import comment
from fuselab.report.inputs import ReportInputs
from fuselab.report.page import guards
from fuselab.report.page.render import write_report
from fuselab.report.reading import Results
from fuselab.report.summary import summary_markdown, write_summary

BAIT = "a <b>new</b> checksum | @everyone *is* worth it"


@pytest.fixture
def guarded(standard: ReportInputs, tmp_path: Path):
    """The made-up experiment with guards: `guarded(accept)` is its inputs."""

    def made(*accepted: AcceptPlan) -> ReportInputs:
        rows = []
        for row in Results(standard).comparisons:
            if (row.variant, row.metric) == ("waiting", "write.bw"):
                row = replace(row, guard=0.25, guard_bound=0.35, guard_outcome="broken")
            if (row.variant, row.metric) == ("waiting", "target.rss_peak_bytes"):
                row = replace(row, guard=0.1, guard_bound=1.02, guard_outcome="holds", ratio=1.01)
            rows.append(row)
        write_rows(tmp_path / "comparisons.csv", Comparison, rows)
        write_json(tmp_path / "plan.json", replace(standard.plan, accepted=accepted))
        return replace(standard, comparisons=tmp_path / "comparisons.csv", plan_file=tmp_path / "plan.json")

    return made


@pytest.fixture
def summary(guarded, tmp_path: Path):
    def made(*accepted: AcceptPlan) -> Summary:
        write_summary(guarded(*accepted), tmp_path / "summary.md", tmp_path / "summary.json")
        return read_json(tmp_path / "summary.json", Summary)

    return made


def test_each_guard_is_one_line_with_its_bound_its_figure_and_its_outcome(summary):
    broken, holds = sorted(summary().guards, key=lambda guard: guard.outcome)
    assert (broken.limit, broken.bound, broken.outcome, broken.accepted) == (0.25, 0.35, "broken", "")
    plain = broken.sentence.replace("\N{NO-BREAK SPACE}", " ").replace("\N{MINUS SIGN}", "-")
    assert "`waiting` against `baseline`, under `seq-write`" in plain
    assert "at most 25 % lower: broken (-69 %; at best -65 %, 95 % bound)." in plain
    assert "at most 10 % higher: holds (+1 %; at worst +2 %" in holds.sentence.replace(
        "\N{NO-BREAK SPACE}", " "
    )


def test_the_page_says_what_is_broken_first_near_the_verdicts(guarded, tmp_path: Path):
    write_report(guarded(), tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text()
    section = text[text.index('id="verdicts"') : text.index("What the words mean")]
    assert "<h3>Guards</h3>" in section
    assert 0 < section.index(" broken</p>") < section.index(" holds</p>")


def test_a_page_without_guards_does_not_speak_of_them(standard_page: Path):
    assert "<h3>Guards</h3>" not in standard_page.read_text()


def test_a_broken_guard_is_told_to_the_pull_request(summary):
    text = comment(summary())
    assert text.startswith("### hidden-wait: a guard is broken\n")
    assert "- **broken** `waiting` against `baseline`" in text
    assert summary_markdown(summary()).strip() in text


def test_what_is_accepted_is_said_where_anything_is_and_alone_it_is_no_comment(summary):
    known = AcceptPlan("write.bw", "waiting", BAIT, "2099-01-01")
    accepted = summary(known)
    (guard,) = [each for each in accepted.guards if each.outcome == "broken"]
    assert guard.accepted == f"accepted until 2099-01-01: {BAIT}"
    assert f"; accepted until 2099-01-01: {BAIT}." in guard.sentence
    too = AcceptPlan("write.p99", "waiting", "the same wait", "2099-01-01")
    assert comment(summary(known, too)) == ""
    other = replace(guard, metric="write.p99", accepted="", sentence="`waiting` is too slow.")
    text = comment(replace(accepted, guards=(*accepted.guards, other)))
    assert "known: `waiting` against `baseline`" in text
    assert "<b>new</b>" not in text, "nothing in a reason is a tag"
    assert "\\*is\\*" in text


@pytest.mark.parametrize(
    "accept",
    [
        AcceptPlan("write.bw", "waiting", "why", "2026-01-01", over=True),
        AcceptPlan("write.p99", "waiting", "why", "2099-01-01"),
        AcceptPlan("write.bw", "control", "why", "2099-01-01"),
        AcceptPlan("write.bw", "waiting", "why", "2099-01-01", workload="another"),
    ],
    ids=["over", "another metric", "another variant", "another load"],
)
def test_what_is_accepted_no_more_or_is_something_else_alarms(summary, accept):
    text = comment(summary(accept))
    assert "a guard is broken" in text
    assert ("was accepted until 2026-01-01, which is over" in text) == accept.over


def test_an_unguarded_metric_is_told_only_where_all_of_its_interval_matters(summary):
    whole = replace(summary(), guards=())
    row = next(row for row in whole.comparisons if row.verdict == "slower")
    assert "changed" in comment(whole)
    near = replace(row, ratio=0.93, ratio_low=0.90, ratio_high=0.96)
    assert comment(replace(whole, comparisons=(near,))) == ""
    assert comment(replace(whole, comparisons=(replace(near, ratio_high=0.94),))) != ""
    assert comment(replace(whole, comparisons=(replace(row, control=True),))) == ""
    assert comment(replace(whole, comparisons=(replace(row, accepted="accepted"),))) == ""
    assert comment(replace(whole, comparisons=(replace(near, verdict="failed"),))) != ""


def test_guards_on_counters_are_told_as_counters_are_those_that_tell_most_first(standard: ReportInputs):
    results = Results(standard)
    bandwidth = next(row for row in results.comparisons if row.metric == "write.bw")
    metrics = (
        "work.futex_per_op",
        "work.fuse_requests.FSYNC_per_op",
        "write.bw",
        "work.counter.commits_per_op",
    )
    results.__dict__["comparisons"] = tuple(
        replace(bandwidth, metric=metric, guard=0.0, guard_outcome="broken") for metric in metrics
    )
    told = [row.metric for row in guards.rows(results)]
    assert told == [
        "write.bw", "work.counter.commits_per_op", "work.fuse_requests.FSYNC_per_op", "work.futex_per_op",
    ]  # fmt: skip


def test_a_summary_of_before_there_were_guards_is_still_read(summary, tmp_path: Path):
    import msgspec

    old = msgspec.to_builtins(summary())
    del old["guards"]
    for row in old["comparisons"]:
        del row["accepted"]
    write_json(tmp_path / "old.json", old)
    assert read_json(tmp_path / "old.json", Summary).guards == ()
