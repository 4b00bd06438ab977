"""What Criterion and pprof leave behind, and the stacks behind a picture."""

from __future__ import annotations

import html
import re
import shutil
from collections import Counter
from pathlib import Path

import pytest

from fuselab.analysis.criterion import (
    SAMPLES_UNIT,
    BenchProfile,
    read_profiles,
    spelled,
    stacks_of_flamegraph,
)
from fuselab.analysis.folded import Folded, Picture, flamegraph, functions
from fuselab.errors import ProfileError
from fuselab.programs import tool

WORK = "burn/cpu/heavy and light/4"


@pytest.fixture
def profiles(golden: Path) -> dict[str, BenchProfile]:
    return {profile.name: profile for profile in read_profiles(golden / "criterion")}


def test_names_are_what_the_bench_wrote(profiles: dict[str, BenchProfile]) -> None:
    assert list(profiles) == [WORK, "wait/sleep"]


def test_stacks_come_back_from_the_picture(profiles: dict[str, BenchProfile]) -> None:
    folded = profiles[WORK].folded
    assert folded is not None
    assert folded.unit == SAMPLES_UNIT
    picture = profiles[WORK].flamegraph
    assert picture is not None
    text = html.unescape(picture.read_text())
    titles = re.findall(
        r"<title>(.*) \((\d+) samples, [\d.]+%\)</title>", text.replace("</title>", "</title>\n")
    )
    drawn = Counter(name for name, _ in titles)
    counted = functions(folded)
    assert folded.total == int(dict(titles)["all"])
    once = {name: int(count) for name, count in titles if drawn[name] == 1 and name != "all"}
    assert len(once) > 10
    assert {name: counted[name].total_value for name in once} == once


def test_an_empty_picture_is_said_to_be_empty(profiles: dict[str, BenchProfile]) -> None:
    found = profiles["wait/sleep"]
    assert (found.folded, found.flamegraph) == (None, None)
    assert "no sample was taken" in found.reason


@pytest.mark.parametrize("options", [(), ("--inverted",), ("--minwidth=0",)])
def test_what_inferno_draws_is_read_back(options: tuple[str, ...], tmp_path: Path) -> None:
    folded = Folded(
        {
            ("main", "write", "<[u8] as a::B<c>>::copy (x)"): 1234,
            ("main", "write"): 5,
            ("main", "read"): 700,
            ("other",): 3,
            ("main", "write", "deep", "deeper"): 40,
        },
        SAMPLES_UNIT,
    )
    flamegraph(tool("inferno-flamegraph"), folded, tmp_path / "out.svg", Picture("t & <t>", options=options))
    assert stacks_of_flamegraph(tmp_path / "out.svg") == folded


def test_a_bench_that_only_profiled_is_named_by_its_folders(golden: Path, tmp_path: Path) -> None:
    home = tmp_path / "criterion"
    shutil.copytree(golden / "criterion", home)
    for path in home.rglob("benchmark.json"):
        path.unlink()
    assert [profile.name for profile in read_profiles(home)] == ["burn_cpu/heavy and light/4", "wait/sleep"]


def test_no_profile_and_no_sample_are_refused_with_the_reason(golden: Path, tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match=r"no profile.*BENCH_FLAMEGRAPH"):
        read_profiles(tmp_path)
    shutil.copytree(golden / "criterion" / "wait", tmp_path / "wait")
    with pytest.raises(ProfileError, match="No sample"):
        read_profiles(tmp_path)


@pytest.mark.parametrize("text", ["<svg", "<svg xmlns='http://www.w3.org/2000/svg'/>", "plain text"])
def test_a_picture_by_another_hand_is_not_guessed_at(text: str, tmp_path: Path) -> None:
    (tmp_path / "x.svg").write_text(text)
    with pytest.raises(ValueError, match=r"x\.svg"):
        stacks_of_flamegraph(tmp_path / "x.svg")


def test_a_benchs_thread_has_no_hash_of_its_build_and_its_functions_the_spelling_of_all(golden: Path) -> None:
    (folded,) = (profile.folded for profile in read_profiles(golden / "criterion") if profile.folded)
    named, manglings = spelled(folded)
    assert {stack[0] for stack in folded.stacks} == {"burns-ff2863dd3"}
    assert {stack[0] for stack in named.stacks} == {"burns"}
    assert named.total == folded.total
    assert manglings == {"legacy", "v0"}
    frames = {frame for stack in named.stacks for frame in stack}
    assert not any("{closure#" in frame or ",T" in frame for frame in frames)
