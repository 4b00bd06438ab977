"""What is kept of the profiles of a night is compact, and enough to draw what moved from one night to another."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import pytest
from tests.unit.history.made_up import HEAD, captured, slowed_nights
from tests.unit.report.fixture import PROFILERS

from fuselab.analysis.folded import Folded, write_folded
from fuselab.checksums import fault
from fuselab.files import write_json
from fuselab.history.keeping import keep
from fuselab.history.page import history_page, write_history
from fuselab.history.profiles import Moved, draw
from fuselab.records.places import FLAMEGRAPH, FOLDED, MOVERS, TABLE, Home
from fuselab.records.profile import Profile

BEFORE, AFTER = "2026-03-20", "2026-03-21"
LOOKED = PROFILERS["perf-oncpu"]
NIGHTS = captured(slowed_nights(), LOOKED)
STACKS = {("fs", "write", "copy"): 9_000, ("fs", "getattr"): 1_000}


def processed(home: Home, stacks: dict[tuple[str, ...], int], status: str = "ok") -> Path:
    """What processing leaves of one capture of `perf-oncpu`, with a picture and a table that nobody needs later."""
    folder = home.processed(HEAD, "seq", LOOKED.name)
    folder.mkdir(parents=True, exist_ok=True)
    for name in (FOLDED, "folded.1.txt"):
        write_folded(folder / name, Folded(stacks, LOOKED.unit))
    for name in (FLAMEGRAPH, TABLE, "graph.svg"):
        (folder / name).write_bytes(b"drawn" * 1000)
    write_json(
        folder / "profile.json",
        Profile(
            LOOKED.name,
            status,  # type: ignore[arg-type]
            LOOKED.unit,
            sum(stacks.values()),
            1,
            100,
            1 << 20,
            (),
            operations_by_capture=(100,),
            bytes_by_capture=(1 << 20,),
            notes=("it lost samples",) if status != "ok" else (),
            pictures={"graph": "graph.svg"},
        ),
    )
    return folder


def kept(home: Home, night: str, stacks: dict[tuple[str, ...], int], status: str = "ok") -> Path:
    shutil.rmtree(home.night(night).folder, ignore_errors=True)
    keep([], [processed(home, stacks, status)], home, night)
    return home.night(night).folder


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """`results/nightly` of which nothing is left but what was kept of two nights, with `fsync` new on the second."""
    home = Home(tmp_path / "results/nightly")
    kept(home, BEFORE, STACKS)
    kept(home, AFTER, {**STACKS, ("fs", "write", "fsync"): 4_000})
    shutil.rmtree(home.folder / "processed")
    return home


def test_stacks_and_the_table_are_kept_and_no_picture(home: Home) -> None:
    night = home.night(BEFORE)
    there = {path.name for path in night.processed(HEAD, "seq", LOOKED.name).iterdir()}
    assert there == {"profile.json", "folded.txt.gz", "folded.1.txt.gz", TABLE}
    assert fault(night.folder) is None, "they are summed with the rest of the night"


def test_a_night_is_there_whole_or_not_at_all(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed at its last step it is not there; what was left is no night, and the next try keeps it."""

    def killed(folder: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("fuselab.history.keeping.write_sums", killed)
    with pytest.raises(KeyboardInterrupt):
        kept(home, "2026-03-22", STACKS)
    monkeypatch.undo()
    assert sorted(path.name for path in home.history.glob("[0-9]*")) == [BEFORE, AFTER]
    assert fault(kept(home, "2026-03-22", STACKS)) is None
    assert not list(home.history.glob(".*"))


def test_what_moved_at_a_change_is_drawn_from_what_was_kept(home: Home) -> None:
    page = history_page(NIGHTS, page=home.history_page)
    (change,) = page.series[0].changes
    (tab,) = change.tabs
    assert change.title == f"What moved in `{HEAD}` from {BEFORE} to {AFTER}"
    assert (tab.label, tab.reason) == (LOOKED.title, "")
    (picture,) = tab.pictures
    assert AFTER in picture.caption
    assert BEFORE in picture.caption
    assert [embed.key for embed in page.embeds] == [picture.embed]
    movers = home.between_nights(HEAD).diff(AFTER, BEFORE, "seq", LOOKED.name) / MOVERS
    assert re.search(r"^fsync,", movers.read_text(), re.MULTILINE)
    assert tab.tables[0].rows[0][0].text == "fsync", "the function that came is the first that moved"


def test_the_page_carries_the_difference_and_links_what_lies_beside_it(home: Home) -> None:
    write_history(NIGHTS, (), home.history_page, home.history_table)
    text = home.history_page.read_text()
    assert 'data-embed="embed-0"' in text
    assert 'id="embed-0"' in text
    linked = set(re.findall(r'href="(history-diffs/[^"]+)"', text))
    assert linked
    assert all((home.folder / unquote(link)).is_file() for link in linked)


def test_of_two_metrics_that_changed_with_one_night_it_is_drawn_once(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[Moved] = []

    def counting(each: Moved, home: Home) -> Path:
        drawn.append(each)
        return draw(each, home)

    monkeypatch.setattr("fuselab.history.page.draw", counting)
    both = tuple(
        replace(each, summary=replace(each.summary, comparisons=(row, replace(row, metric="write.iops"))))
        for each in NIGHTS
        for row in each.summary.comparisons[:1]
    )
    page = history_page(both, page=home.history_page)
    assert [len(series.changes) for series in page.series] == [1, 1]
    assert len(drawn) == 1


def test_a_night_before_profiles_were_kept_has_no_difference_and_the_page_says_so(home: Home) -> None:
    shutil.rmtree(home.night(BEFORE).folder)
    (change,) = history_page(NIGHTS, page=home.history_page).series[0].changes
    assert (change.tabs, change.note) == ((), "No profiles were kept of both nights.")


def test_a_profile_that_said_nothing_that_night_is_named_with_its_reason(home: Home) -> None:
    kept(home, BEFORE, {}, "refused")
    (change,) = history_page(NIGHTS, page=home.history_page).series[0].changes
    assert change.tabs[0].pictures == ()
    assert change.tabs[0].reason == f"no difference: {BEFORE}: it lost samples"


def test_without_a_profiler_the_page_speaks_of_none(tmp_path: Path) -> None:
    assert history_page(slowed_nights(), page=tmp_path / "history.html").series[0].changes == ()
