"""`fuselab night`: what cron is told, and when it is told nothing; tests/mount/test_nights.py measures."""

import os
from pathlib import Path

import pytest

from fuselab.files import write_json
from fuselab.locks import open_lock, try_lock
from fuselab.records.history import HistoryRow
from fuselab.records.places import Results
from fuselab.records.summary import Summary, SummaryRow
from fuselab.records.table import write_rows

FIRST, SECOND = "2026-03-01", "2026-03-02"


def summary(verdict: str, alarms: tuple[str, ...] = ()) -> Summary:
    row = SummaryRow(
        "w", "old", "new", "write.bw", "B/s", "higher", verdict, 0.9, 0.88, 0.92, 0.95, 12, False,
        f"`new` is {verdict}.",
    )  # fmt: skip
    return Summary("trial", "", "", "", (), 0.05, 12, 0, alarms, (row,))


def row_of(night: str) -> HistoryRow:
    return HistoryRow(
        night,
        "w",
        "old",
        "new",
        "write.bw",
        "higher",
        0.9,
        0.88,
        0.92,
        "slower",
        "",
        False,
        "",
        1,
        1,
        0.9,
        False,
    )


@pytest.fixture
def home(repository: Path):
    return Results(repository).experiment("trial")


@pytest.fixture
def measured(home, monkeypatch: pytest.MonkeyPatch):
    """Stands for Snakemake: `measured[night]` is what it finds; a night that is not there could not be measured."""
    found: dict[str, Summary] = {}
    calls: list[str] = []

    def make(root, file, *words, output=None):
        night = words[-1].removeprefix("night=")
        calls.append(night)
        os.write(output, b"the rig says why\n")
        if night not in found:
            return 1
        home.night(night).folder.mkdir(parents=True, exist_ok=True)
        write_json(home.night(night).summary, found[night])
        home.history_page.touch()
        write_rows(home.history_table, HistoryRow, [row_of(kept) for kept in sorted(found) if kept <= night])
        return 0

    monkeypatch.setattr("fuselab.commands.night.make", make)
    return found, calls


@pytest.mark.parametrize("verdict", ["no difference shown", "inconclusive", "slower, below threshold"])
def test_a_night_on_which_all_is_well_says_nothing(fuselab, measured, verdict):
    measured[0][FIRST] = summary(verdict)
    done = fuselab("night", "trial", "--date", FIRST)
    assert (done.exit_code, done.output) == (0, "")


def test_what_became_slower_is_said_and_so_is_what_stays_so(fuselab, measured, home):
    measured[0].update(
        {FIRST: summary("inconclusive"), SECOND: summary("slower"), "2026-03-03": summary("slower")}
    )
    assert fuselab("night", "trial", "--date", FIRST).output == ""
    second = fuselab("night", "trial", "--date", SECOND)
    assert second.exit_code == 2
    assert second.output.splitlines() == ["changed: `new` is slower.", f"all nights: {home.history_page}"]
    third = fuselab("night", "trial", "--date", "2026-03-03")
    assert (third.exit_code, third.output.splitlines()[0]) == (2, "still: `new` is slower.")


def test_what_is_well_again_is_a_change_and_no_fault(fuselab, measured):
    measured[0].update({FIRST: summary("slower"), SECOND: summary("no difference shown")})
    assert fuselab("night", "trial", "--date", FIRST).exit_code == 2
    done = fuselab("night", "trial", "--date", SECOND)
    assert (done.exit_code, done.output.splitlines()[0]) == (0, "changed: `new` is no difference shown.")


def test_a_control_that_differs_comes_before_any_verdict(fuselab, measured):
    measured[0][FIRST] = summary("slower", alarms=("The control differs.",))
    done = fuselab("night", "trial", "--date", FIRST)
    assert done.exit_code == 3
    assert done.output.splitlines()[0] == "The control differs."


def test_a_night_that_is_kept_is_not_measured_again(fuselab, measured):
    measured[0][FIRST] = summary("slower")
    once, twice = (fuselab("night", "trial", "--date", FIRST) for _ in range(2))
    assert (once.exit_code, once.output) == (twice.exit_code, twice.output)
    assert measured[1] == [FIRST]


def test_a_night_that_was_killed_before_the_page_had_it_is_put_there(fuselab, measured, home):
    for night in (FIRST, SECOND):
        measured[0][night] = summary("slower")
        assert fuselab("night", "trial", "--date", night).exit_code == 2
    write_rows(home.history_table, HistoryRow, [row_of(FIRST)])
    assert fuselab("night", "trial", "--date", FIRST).exit_code == 2
    assert measured[1] == [FIRST, SECOND]
    assert fuselab("night", "trial", "--date", SECOND).exit_code == 2
    assert measured[1] == [FIRST, SECOND, SECOND]


def test_what_could_not_run_ends_with_the_last_words(fuselab, measured):
    done = fuselab("night", "trial", "--date", FIRST)
    assert done.exit_code == 1
    assert "the night of 2026-03-01 could not be measured" in done.output
    assert "the rig says why" in done.output


def test_a_second_call_does_nothing_while_the_first_measures(fuselab, measured, home):
    (home.folder / "logs").mkdir(parents=True)
    held = open_lock(home.folder / "logs" / "night.lock")
    assert try_lock(held)
    try:
        done = fuselab("night", "trial", "--date", FIRST)
    finally:
        os.close(held)
    assert done.exit_code == 1
    assert f"by process {os.getpid()}: nothing was done" in done.output
    assert measured[1] == []
    measured[0][FIRST] = summary("faster")
    assert fuselab("night", "trial", "--date", FIRST).exit_code == 0, "nobody holds it any more"


def test_no_date_and_no_experiment_are_said_in_a_sentence(fuselab, measured):
    for words, said in ((["trial", "--date", "monday"], "--date monday is no date"), (["triall"], "triall")):
        done = fuselab("night", *words)
        assert (done.exit_code, said in done.output, "Traceback" in done.output) == (1, True, False), (
            done.output
        )
