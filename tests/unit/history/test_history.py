"""From what is kept of each night to the page: since when something is faster or slower, and which commits it was."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from tests.unit.history.made_up import HEAD, night, slowed_nights, steady

from fuselab.files import write_json
from fuselab.history.nights import Night, read_nights
from fuselab.history.page import history_page, write_history
from fuselab.history.series import all_series
from fuselab.records.plan import PlanFile


@pytest.fixture
def slowed() -> tuple[Night, ...]:
    return slowed_nights()


def test_the_page_says_since_when_and_by_which_commits(slowed: tuple[Night, ...]):
    (series,) = history_page(slowed).series
    assert (series.kind, series.word) == ("slower", "slower")
    changed, offered, now = series.sentences
    assert changed.startswith("From 2026-03-21 on write bandwidth was lower")
    assert f"git log {'a' * 12}..{'b' * 12}" in changed
    assert "the nights of 2026-03-20 and 2026-03-21" in changed
    assert offered == (
        f"Which of them it was: `fuselab bisect nightly --good {'a' * 12} --bad {'b' * 12} --metric write.bw "
        f"--workload seq --variant '{HEAD}'`"
    )
    assert "\N{MINUS SIGN}10\N{NO-BREAK SPACE}% against `release`" in now


def test_a_change_without_a_commit_is_not_blamed_on_the_source():
    same = (*steady(1, 20, 1.0), *steady(21, 28, 0.9))
    assert "look for the cause outside the source" in history_page(same).series[0].sentences[0]
    rebuilt = (*steady(1, 20, 1.0), *steady(21, 28, 0.9, program="2" * 64))
    said = history_page(rebuilt).series[0].sentences[0]
    assert not any("bisect" in sentence for sentence in history_page(same).series[0].sentences)
    assert "uncommitted changes, or another build of the same revision" in said


def test_the_commits_named_are_those_between_nights_that_are_surely_before_and_after():
    """Two nights failed at the change: neither can be told from the other side."""
    nights = (*steady(1, 18, 1.0), night(19, None), night(20, None), *steady(21, 28, 0.9, revision="b" * 40))
    said = history_page(nights).series[0].sentences[0]
    assert "the nights of 2026-03-18 and 2026-03-21" in said
    assert f"git log {'a' * 12}..{'b' * 12}" in said


def test_another_reference_begins_an_era_and_no_change():
    moved = (*steady(1, 14, 1.0), *steady(15, 28, 0.9, reference="demofs/v2"))
    (series,) = all_series(moved)
    assert series.changes == ()
    assert [(era.began, len(era.points)) for era in series.eras] == [("", 14), ("the reference", 14)]
    (view,) = history_page(moved).series
    assert view.sentences == (
        "No change of level shown in 14\N{NO-BREAK SPACE}nights since 2026-03-15, when the reference changed: write "
        f"bandwidth of `{HEAD}` is \N{MINUS SIGN}10\N{NO-BREAK SPACE}% against `release`.",
    )


def test_a_change_before_the_reference_moved_is_still_said(slowed: tuple[Night, ...]):
    nights = (*slowed, *steady(29, 31, 1.0, reference="demofs/v2"))
    (view,) = history_page(nights).series
    assert view.sentences[0].startswith("From 2026-03-21 on write bandwidth was lower")
    assert view.word == "too few nights"


def test_a_new_program_of_the_variant_is_what_is_followed(slowed: tuple[Night, ...]):
    (series,) = all_series(slowed)
    assert len(series.eras) == 1, "its argument list names the build"


def test_a_comparison_that_ended_says_when(slowed: tuple[Night, ...]):
    last = night(29, 1.0)
    renamed = replace(last, summary=replace(last.summary, comparisons=()))
    (view,) = history_page((*slowed, renamed)).series
    assert view.sentences[-1] == "Last measured on 2026-03-28."


def test_a_night_without_a_ratio_is_listed_and_not_judged(slowed: tuple[Night, ...]):
    nights = (*slowed, night(29, None))
    (series,) = all_series(nights)
    assert len(series.points) == 29
    assert sum(len(level.points) for level in series.eras[-1].levels) == 28


def test_few_nights_claim_nothing():
    (series,) = history_page(tuple(steady(1, 5, 1.0))).series
    assert series.word == "too few nights"
    assert "to show a change takes 10 at least" in series.sentences[0]


def test_the_files_hold_every_night_and_names_are_text(slowed: tuple[Night, ...], tmp_path: Path):
    page, table = tmp_path / "history.html", tmp_path / "history.csv"
    write_history(slowed, (), page, table)
    text = page.read_text()
    assert HEAD not in text.split("<main")[1]
    assert "&lt;head&gt;" in text
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["night"] for row in rows] == [each.night for each in slowed]
    assert {row["variant"] for row in rows} == {HEAD}, "a control is about the machine"
    assert [row["night"] for row in rows if row["change"] == "True"] == ["2026-03-21"]
    assert float(rows[-1]["level_ratio"]) == pytest.approx(0.9, abs=0.005)


def test_nights_are_read_in_order_and_a_broken_one_is_named(slowed: tuple[Night, ...], tmp_path: Path):
    for each in (slowed[1], slowed[0]):
        (tmp_path / each.night).mkdir()
        write_json(tmp_path / each.night / "plan.json", each.plan)
        write_json(tmp_path / each.night / "summary.json", each.summary)
    nights, faults = read_nights(tmp_path.iterdir())
    assert faults == ()
    assert nights == tuple(
        replace(each, plan=msgspec.convert(msgspec.to_builtins(each.plan), PlanFile)) for each in slowed[:2]
    )
    (tmp_path / slowed[0].night / "summary.json").write_text("{")
    nights, (fault,) = read_nights(tmp_path.iterdir())
    assert [each.night for each in nights] == [slowed[1].night]
    assert "The night of 2026-03-01 is left out" in fault
    assert fault in history_page(nights, (fault,)).faults
