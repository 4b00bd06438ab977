"""`fuselab check --fix` writes what was surely meant, shows it, and leaves all else of the file as it is."""

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from fuselab.cli import main
from fuselab.commands.check import look_at

BROKEN = Path(__file__).resolve().parents[2] / "broken"

BEFORE = """\
# why this is asked
name: mine
target:demo
variants:
\told: {}   # as it is
  new: {options: {cache: “64m”}}
workloads:
    w:   {fio: {rw:write,   bs: 4k, size: 1m}, timeout: 3 sec}   # odd, and ours
blokcs: 12
profilers: perf-oncpu, perf-offcpu  # both
compare: {primary: [write.p9], threshold: 5}
"""
AFTER = """\
# why this is asked
name: mine
target: demo
variants:
  old: {}   # as it is
  new: {options: {cache: "64m"}}
workloads:
    w:   {fio: {rw: write,   bs: 4k, size: 1m}, timeout: 3s}   # odd, and ours
blocks: 12
profilers: [perf-oncpu, perf-offcpu]  # both
compare: {primary: [write.p9], threshold: 5%}
"""


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(BROKEN / "repository", tmp_path, dirs_exist_ok=True)
    (tmp_path / "Snakefile").touch()
    (tmp_path / "experiments").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def written(world: Path, text: str, name: str = "mine") -> Path:
    path = world / "experiments" / f"{name}.yaml"
    path.write_bytes(text.encode())
    return path


def test_what_is_sure_is_written_and_comments_and_layout_stay(world: Path):
    path = written(world, BEFORE)
    done = CliRunner().invoke(main, ["check", "--fix", "mine"])
    assert path.read_text() == AFTER
    changed = [line[1:] for line in done.output.splitlines() if line[:1] == "+" and line[:3] != "+++"]
    assert changed == [
        new for old, new in zip(BEFORE.splitlines(), AFTER.splitlines(), strict=True) if old != new
    ]
    assert "-target:demo\n" in done.output
    assert "mended in experiments/mine.yaml: 8" in done.output
    # p99 and p999 are about as near: that stays, and is told as ever
    assert "unknown metric 'write.p9'" in done.output
    assert "1 fault, which may be meant in more than one way: yours to mend" in done.output
    assert done.exit_code == 1


def test_with_nothing_left_it_is_well_and_a_second_call_changes_nothing(world: Path):
    path = written(world, AFTER.replace("[write.p9]", "[write.bw]").replace("blocks", "blokcs"))
    done = CliRunner().invoke(main, ["check", "--fix", "mine"])
    assert done.exit_code == 0, done.output
    assert done.output.endswith("ok  experiments/mine.yaml\n")
    stamp = path.stat()
    again = CliRunner().invoke(main, ["check", "--fix", "mine"])
    assert again.output == "ok  experiments/mine.yaml\n"
    assert path.stat().st_mtime_ns == stamp.st_mtime_ns


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("blocks: 12", "blocks: 5000"),  # too many: how many were meant is not known
        ("name: mine", "name: other"),  # the file or its name?
        ("primary: [write.bw]", "primary: [write.p9]"),  # p99 or p999
        ("  old: {}", " old: {}"),  # in which column?
    ],
)
def test_what_may_be_meant_in_two_ways_is_left(world: Path, right: str, wrong: str):
    text = AFTER.replace("[write.p9]", "[write.bw]").replace(right, wrong)
    path = written(world, text)
    done = CliRunner().invoke(main, ["check", "--fix", "mine"])
    assert (done.exit_code, path.read_text()) == (1, text), done.output


def test_line_ends_the_mode_and_a_link_stay(world: Path):
    text = AFTER.replace("[write.p9]", "[write.bw]").replace("blocks", "blokcs").replace("\n", "\r\n")
    real = world / "elsewhere.yaml"
    real.write_bytes(text.encode())
    real.chmod(0o640)
    (world / "experiments/mine.yaml").symlink_to(real)
    assert CliRunner().invoke(main, ["check", "--fix", "mine"]).exit_code == 0
    assert (world / "experiments/mine.yaml").is_symlink()
    assert real.read_bytes() == text.replace("blokcs", "blocks").encode()
    assert real.stat().st_mode & 0o777 == 0o640


def test_faults_of_another_file_are_not_touched_with_it(world: Path):
    target = world / "targets/demo/target.yaml"
    target.write_text(target.read_text().replace("options:", "optoins:"))
    before = target.read_bytes()
    written(world, AFTER.replace("[write.p9]", "[write.bw]"))
    assert CliRunner().invoke(main, ["check", "--fix", "mine"]).exit_code == 1
    assert target.read_bytes() == before
    assert CliRunner().invoke(main, ["check", "--fix", str(target)]).exit_code == 0
    assert target.read_bytes() == before.replace(b"optoins:", b"options:")


@pytest.mark.parametrize("file", sorted(BROKEN.glob("experiments/*.yaml"))[::4], ids=lambda file: file.stem)
def test_of_every_fourth_broken_file_none_gets_worse(world: Path, file: Path):
    at = world / "experiments" / file.name
    shutil.copy(file, at)
    before, faults = at.read_bytes(), look_at(at)[0]
    CliRunner().invoke(main, ["check", "--fix", str(at)])
    left = look_at(at)[0]
    mended = [problem for problem in faults if problem.fix and problem not in left]
    assert (at.read_bytes() != before) == bool(mended)
    assert len(left) <= max(len(faults), 1) or faults[0].message.startswith(("not YAML", "a tab", "U+"))
