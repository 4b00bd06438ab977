"""A value that ends where a comment begins, to YAML, and goes on to whoever wrote it."""

from pathlib import Path

import pytest

from fuselab.doctor.experiment import cut_short


@pytest.mark.parametrize(
    "line",
    ["title: is #12 slower", "  - sql: select 1 #two", "      env: a #b"],
)
def test_a_text_that_a_comment_may_have_cut_is_told_with_its_line(tmp_path: Path, line: str):
    file = tmp_path / "e.yaml"
    file.write_text(f"name: e\n{line}\n")
    (said,) = map(str, cut_short(file))
    value = line.partition(": ")[2].partition(" #")[0]
    assert said.startswith("note: line 2: the value of '")
    assert f"is '{value}', for a '#' behind a space begins a comment" in said


@pytest.mark.parametrize(
    "line",
    ["blocks: 12  # a comment", "#title: a", "title: 'is #12 slower'", "env: {A: b}  #c", "title: a#b"],
)
def test_a_comment_that_is_one_is_left(tmp_path: Path, line: str):
    file = tmp_path / "e.yaml"
    file.write_text(f"{line}\n")
    assert not list(cut_short(file))
