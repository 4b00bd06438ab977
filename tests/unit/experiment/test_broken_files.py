"""Every broken file in tests/broken/ gets exactly the text beside it: place, fault, correction, what is allowed."""

import os
import pty
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from fuselab.cli import main
from fuselab.commands.check import look_at
from fuselab.schema.errors import Problem

BROKEN = Path(__file__).resolve().parents[2] / "broken"
FILES = [
    file
    for folder in ("experiments", "targets", "services")
    for file in sorted((BROKEN / folder).glob("*.yaml"))
]


def place(file: Path, world: Path) -> Path:
    """Copy the little world and put the file where one of its kind belongs; return that place."""
    shutil.copytree(BROKEN / "repository", world, dirs_exist_ok=True)
    (world / "Snakefile").touch()
    at = world / file.parent.name / file.name
    if file.parent.name == "targets":
        at = world / "targets" / file.stem / "target.yaml"
    at.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(file, at)
    return at


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_a_broken_file_gets_its_text(file: Path, tmp_path: Path):
    at = place(file, tmp_path)
    before = time.process_time()
    said = "\n\n".join(map(str, look_at(at)[0])) + "\n"
    assert time.process_time() - before < 1, "a mistake is answered before one has looked away"
    if os.environ.get("FUSELAB_REWRITE"):
        file.with_suffix(".txt").write_text(said)
    assert said == file.with_suffix(".txt").read_text()
    assert said.strip(), "a broken file must be found broken"


def test_there_are_forty_of_them():
    assert len(FILES) >= 40


def test_no_text_stands_alone():
    texts = {
        text.with_suffix(".yaml")
        for folder in ("experiments", "targets", "services")
        for text in (BROKEN / folder).glob("*.txt")
    }
    assert texts == set(FILES)


def test_check_prints_the_faults_and_ends_with_1(tmp_path: Path):
    at = place(BROKEN / "experiments" / "misspelt-key.yaml", tmp_path)
    done = CliRunner().invoke(main, ["check", str(at)])
    assert done.exit_code == 1
    assert (BROKEN / "experiments" / "misspelt-key.txt").read_text().strip() in done.output


def test_check_can_answer_in_json(tmp_path: Path):
    import json

    at = place(BROKEN / "experiments" / "several-faults.yaml", tmp_path)
    done = CliRunner().invoke(main, ["check", "--json", str(at)])
    found = json.loads(done.output)
    assert done.exit_code == 1
    assert [(problem["line"], problem["suggestion"]) for problem in found] == [
        (5, "blocks"),
        (6, "perf-oncpu"),
        (8, "write.bw"),
        (9, "5%"),
    ]
    assert found[0]["file"] == "experiments/several-faults.yaml"


@pytest.mark.parametrize(
    "file", [f for f in FILES if f.parent.name == "experiments"], ids=lambda file: file.stem
)
def test_the_corrected_line_is_accepted_in_its_place(file: Path, tmp_path: Path):
    """Where one corrected line replaces the faulty one, writing it must mend that fault."""
    at = place(file, tmp_path)
    problems = look_at(at)[0]
    mendable = [
        p
        for p in problems
        if p.suggestion
        and p.corrected_yaml
        and "\n" not in p.corrected_yaml
        and p.file == f"experiments/{file.name}"
    ]
    for problem in mendable:
        lines = file.read_text().splitlines()
        lines[problem.line - 1] = str(problem.corrected_yaml)
        at.write_text("\n".join(lines) + "\n")
        left = look_at(at)[0]
        assert problem not in left, f"still there after the correction: {problem}"
        assert len(left) <= len(problems), f"the correction made it worse: {left}"


def test_a_fault_is_pointed_at_in_its_line_however_long_or_wide_that_is():
    def pointed(written: str, column: int, width: int) -> list[str]:
        problem = Problem("e.yaml", 1, column, "k", "v", "is wrong", written=written, width=width)
        return str(problem).splitlines()[1:]

    assert pointed("blocks: twelve", 9, 6) == ["    blocks: twelve", "            ^~~~~~"]
    assert pointed("title: 速い? yes", 12, 3) == ["    title: 速い? yes", "                 ^~~"]
    line, mark = pointed(f"{'a' * 300}HERE{'b' * 300}", 301, 4)
    assert line[mark.index("^") : len(mark)] == "HERE"
    assert len(line) < 120
    assert pointed("a\x1b[31mred: b", 1, 1)[0] == "    a [31mred: b"


@pytest.mark.parametrize(("no_color", "coloured"), [("", True), ("1", False)])
def test_faults_are_coloured_on_a_terminal_unless_somebody_wants_none(
    tmp_path: Path, no_color: str, coloured: bool
):
    at = place(BROKEN / "experiments" / "misspelt-key.yaml", tmp_path)
    master, slave = pty.openpty()
    argv = [sys.executable, "-c", "from fuselab.cli import main; main()", "check", str(at)]
    env = {**os.environ, "TERM": "xterm", "NO_COLOR": no_color}
    subprocess.run(argv, stdout=slave, stderr=slave, env=env, timeout=60, check=False)
    os.set_blocking(master, False)
    said = os.read(master, 65536).decode()
    for end in (master, slave):
        os.close(end)
    assert "misspelt-key.yaml:" in said
    assert ("\x1b[" in said) == coloured
