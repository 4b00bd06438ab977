"""Folded stacks keep their frames, their values and their total through inferno's traps."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fuselab.analysis.folded import (
    Folded,
    Picture,
    Share,
    difference,
    flamegraph,
    functions,
    lines,
    merged,
    read_folded,
    safe_frame,
    scaled,
    write_folded,
)
from fuselab.errors import ProfileError
from fuselab.programs import tool

NS = "ns on CPU"


@pytest.fixture(scope="module")
def inferno() -> str:
    return tool("inferno-flamegraph")


def titles(svg: Path) -> dict[str, int]:
    """Frame -> count, as inferno read them."""
    found = re.findall(r"<title>(.*?) \(([\d,]+) [^()]*, [\d.]+%", svg.read_text())
    return {name: int(count.replace(",", "")) for name, count in found}


@pytest.mark.parametrize(
    "name", ["<[u8; 4]>::f", "stage; one", "shard 5", "worker 3.5", "a\nb", "# note", "", "x\ty"]
)
def test_any_name_stays_one_frame_in_inferno(name: str, inferno: str, tmp_path: Path) -> None:
    folded = Folded({("root", name): 7, ("root", "other"): 100}, NS)
    flamegraph(inferno, folded, tmp_path / "out.svg", Picture("t"))
    found = titles(tmp_path / "out.svg")
    assert sorted(found.values()) == [7, 100, 107, 107]


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    folded = Folded({("main", "write", "memcpy"): 12, ("main", "write"): 3, ("main",): 0}, NS)
    write_folded(tmp_path / "f.txt", folded)
    assert (tmp_path / "f.txt").read_text() == "main;write 3\nmain;write;memcpy 12\n"
    assert read_folded(tmp_path / "f.txt", NS).stacks == {
        ("main", "write", "memcpy"): 12,
        ("main", "write"): 3,
    }


def test_fractions_are_added_before_they_are_rounded(tmp_path: Path) -> None:
    (tmp_path / "f.txt").write_text("a;b 0.4\n" * 10 + "a;b 2\n\na;c 0.9\n")
    assert read_folded(tmp_path / "f.txt", NS).stacks == {("a", "b"): 6, ("a", "c"): 1}


@pytest.mark.parametrize("bad", ["nothing", "a;b -3", "a;b nan", "a;b x", " 5"])
def test_a_broken_line_is_named(bad: str, tmp_path: Path) -> None:
    (tmp_path / "f.txt").write_text(f"a;b 1\n{bad}\n")
    with pytest.raises(ValueError, match=r"f\.txt:2: "):
        read_folded(tmp_path / "f.txt", NS)


def test_scaling_keeps_the_total_of_many_small_stacks() -> None:
    folded = Folded({("a", str(n)): 1 for n in range(1000)}, NS)
    assert scaled(folded, 0.9).total == 900
    assert scaled(folded, 2.5).total == 2500
    assert scaled(folded, 1.0) == folded


@pytest.mark.parametrize("factor", [0.0, -1.0, float("inf"), float("nan")])
def test_no_scale_without_a_load(factor: float) -> None:
    with pytest.raises(ValueError, match="scale"):
        scaled(Folded({("a",): 1}, NS), factor)


def test_only_one_unit_is_added_up() -> None:
    one, other = Folded({("a",): 1, ("b",): 2}, NS), Folded({("a",): 5}, NS)
    assert merged([one, other]).stacks == {("a",): 6, ("b",): 2}
    with pytest.raises(ValueError, match="units"):
        merged([one, Folded({("a",): 5}, "bytes")])
    with pytest.raises(ValueError, match="units"):
        merged([])


def test_recursion_counts_once_in_the_total() -> None:
    found = functions(Folded({("main", "f", "f"): 4, ("main", "f"): 1, ("main",): 2}, NS))
    assert found["f"] == Share(self_value=5, total_value=5)
    assert found["main"] == Share(self_value=2, total_value=7)


def test_titles_and_units_are_text_whatever_they_hold(inferno: str, tmp_path: Path) -> None:
    picture = Picture(title="--negate <script>", subtitle="a & b", options=("--inverted",))
    flamegraph(inferno, Folded({("a",): 1234}, NS), tmp_path / "out.svg", picture)
    text = (tmp_path / "out.svg").read_text()
    assert "--negate &lt;script&gt;" in text
    assert "a &amp; b" in text
    assert "1,234 ns on CPU" in text


def test_nothing_is_never_drawn(inferno: str, tmp_path: Path) -> None:
    nothing, something = Folded({("a",): 0}, NS), Folded({("a",): 1}, NS)
    with pytest.raises(ProfileError, match="no stack"):
        flamegraph(inferno, nothing, tmp_path / "out.svg", Picture("t"))
    with pytest.raises(ProfileError, match="no stack"):
        difference(inferno, something, nothing, tmp_path / "d.folded", tmp_path / "d.svg", Picture("t"))
    assert not list(tmp_path.iterdir())


def test_the_difference_has_both_counts_and_leaves_no_other_file(inferno: str, tmp_path: Path) -> None:
    before = Folded({("a", "b"): 1, ("a", "gone"): 4}, NS)
    after = Folded({("a", "b"): 3, ("a", "new"): 4}, NS)
    difference(inferno, before, after, tmp_path / "d.folded", tmp_path / "d.svg", Picture("t"))
    assert (tmp_path / "d.folded").read_text() == "a;b 1 3\na;gone 4 0\na;new 0 4\n"
    assert titles(tmp_path / "d.svg")["new"] == 4
    assert sorted(path.name for path in tmp_path.iterdir()) == ["d.folded", "d.svg"]


def test_a_failing_program_speaks_for_itself(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="failed"):
        flamegraph("false", Folded({("a",): 1}, NS), tmp_path / "out.svg", Picture("t"))


def test_safe_frames_stay_as_they_are() -> None:
    for name in ("demofs::fs::write", "<a as b>::c", "tokio-rt-worker", "a 5 b", "v2"):
        assert safe_frame(name) == name
    assert list(lines(Folded({("a;b", "c 5"): 1}, NS))) == ["a,b;c_5 1"]
