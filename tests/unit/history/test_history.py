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
from fuselab.report.plan import PlanFile


@pytest.fixture
def slowed() -> tuple[Night, ...]:
    return slowed_nights()


def test_the_page_says_since_when_and_by_which_commits(slowed: tuple[Night, ...]):
    (series,) = history_page(slowed).series
    assert (series.kind, series.word) == ("slower", "slower")
    (sentence,) = series.sentences
    assert sentence.startswith("Since 2026-03-21 write bandwidth")
    assert f"git log {'a' * 12}..{'b' * 12}" in sentence
    assert "\N{MINUS SIGN}10\N{NO-BREAK SPACE}%" in sentence


def test_a_change_without_a_commit_is_not_blamed_on_the_source(slowed: tuple[Night, ...]):
    same = (*steady(1, 20, 1.0), *steady(21, 28, 0.9))
    (sentence,) = history_page(same).series[0].sentences
    assert "look for the cause outside the source" in sentence


def test_another_reference_begins_an_era_and_no_change(slowed: tuple[Night, ...]):
    moved = (*steady(1, 14, 1.0), *steady(15, 28, 0.9, reference="demofs/v2"))
    (series,) = all_series(moved)
    assert series.changes == ()
    assert [(era.began, len(era.points)) for era in series.eras] == [("", 14), ("the reference", 14)]
    (view,) = history_page(moved).series
    assert view.sentences == (
        "No change of level shown in 14\N{NO-BREAK SPACE}nights since 2026-03-15, when the reference changed: it is "
        "\N{MINUS SIGN}10\N{NO-BREAK SPACE}% against `release`.",
    )


def test_a_night_without_a_ratio_is_listed_and_not_judged(slowed: tuple[Night, ...]):
    nights = (*slowed, night(29, None))
    (series,) = all_series(nights)
    assert len(series.points) == 29
    assert sum(len(level.points) for level in series.eras[-1].levels) == 28


def test_few_nights_claim_nothing():
    (series,) = history_page(tuple(steady(1, 5, 1.0))).series
    assert series.word == "too few nights"
    assert "a change point takes 6" in series.sentences[0]


def test_the_files_hold_every_night_and_names_are_text(slowed: tuple[Night, ...], tmp_path: Path):
    page, table = tmp_path / "history.html", tmp_path / "history.csv"
    write_history(slowed, page, table)
    text = page.read_text()
    assert HEAD not in text.split("<main")[1]
    assert "&lt;head&gt;" in text
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["night"] for row in rows] == [each.night for each in slowed]
    assert {row["variant"] for row in rows} == {HEAD}, "a control is about the machine"
    assert [row["night"] for row in rows if row["change_p"]] == ["2026-03-21"]
    assert float(rows[-1]["level_ratio"]) == pytest.approx(0.9, abs=0.005)


def test_nights_are_read_in_order_and_a_broken_one_is_named(slowed: tuple[Night, ...], tmp_path: Path):
    for each in (slowed[1], slowed[0]):
        (tmp_path / each.night).mkdir()
        write_json(tmp_path / each.night / "plan.json", each.plan)
        write_json(tmp_path / each.night / "summary.json", each.summary)
    assert read_nights(tmp_path) == tuple(
        replace(each, plan=msgspec.convert(msgspec.to_builtins(each.plan), PlanFile)) for each in slowed[:2]
    )
    (tmp_path / slowed[0].night / "summary.json").write_text("{")
    with pytest.raises(ValueError, match=r"2026-03-01 is no whole night"):
        read_nights(tmp_path)
