"""`fuselab bisect` on the history of a stranger's filesystem in C: what was planted in one of its commits is found."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from fuselab.measuring.attempts import NO_PATIENCE

pytestmark = [pytest.mark.mount, pytest.mark.slow, pytest.mark.timeout(1800)]

COMMITS = 16
PLANTED, BROKEN, LOSSY = 11, 9, 8
"""Commits, counted from the first: one whose writes are each followed by an fsync, which none was before; one that does
not compile; one that stores bytes wrong."""
TARGET = """\
name: plainfs
build:
  command: {argv: [make, plainfs], source: ../.., binary: plainfs}
mount:
  argv: ["{binary}", "{state}", "{mountpoint}", -f]
"""
EXPERIMENT = """\
name: mine
target: plainfs
variants: {a: {}, b: {fio: {bs: 8k}}}
workloads:
  other: {command: {argv: [ls, "{mountpoint}"]}}
  seq: {fio: {rw: write, bs: 16k, size: 1m, direct: 1}}
blocks: 1
"""
MAKEFILE = "plainfs: plainfs.c\n\tgcc -O0 $< -o $@ $$(pkg-config --cflags --libs fuse3)\n"
FUSELAB = str(Path(sys.executable).parent / "fuselab")
SEARCH = """
from fuselab.commands import bisect
question = bisect.question("mine", "v0", "main", None, "work.fsync_per_op", "seq", None)
raise SystemExit(bisect.search(question, 0.95, float("inf"), report=False))
"""
COUNTER = ("--counter", "work.fsync_per_op", "--workload", "seq")


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory, checkout_root: Path) -> Path:
    """Sixteen commits of plainfs, in a repository that measures itself."""
    tmp_path = tmp_path_factory.mktemp("plainfs")
    source = (checkout_root / "tests/programs/plainfs.c").read_text()
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    call(tmp_path, "init")
    (tmp_path / "Makefile").write_text(MAKEFILE)
    for number in range(COMMITS):
        text = f"// revision {number}\n{source}"
        if number >= PLANTED:
            text = text.replace('{"sync-every", 0}', '{"sync-every", 1}')
        if number == LOSSY:
            text = text.replace('{"corrupt-every", 0}', '{"corrupt-every", 1}')
        if number == BROKEN:
            text += "#error not finished\n"
        (tmp_path / "plainfs.c").write_text(text)
        git(tmp_path, "add", "plainfs.c", "Makefile")
        git(tmp_path, "commit", "--quiet", "--message", f"number {number}")
        git(tmp_path, "tag", f"v{number}")
    (tmp_path / "targets/plainfs").mkdir()
    (tmp_path / "targets/plainfs/target.yaml").write_text(TARGET)
    (tmp_path / "experiments/mine.yaml").write_text(EXPERIMENT)
    return tmp_path


def git(folder: Path, *argv: str) -> str:
    identity = ("-c", "user.name=n", "-c", "user.email=e@example.org")
    return subprocess.run(
        ["git", "-C", str(folder), *identity, *argv], check=True, text=True, stdout=subprocess.PIPE
    ).stdout


def revision(folder: Path, number: int) -> str:
    return git(folder, "rev-parse", f"v{number}").strip()


def started(folder: Path, *words: str, program: str = FUSELAB) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [program, *words], cwd=folder, env={**os.environ, NO_PATIENCE: "1"}, text=True, start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def call(folder: Path, *words: str, code: int = 0) -> str:
    said, _ = (running := started(folder, *words)).communicate(timeout=1500)
    assert running.returncode == code, said
    return said


def test_it_is_found_among_sixteen_stepping_over_what_cannot_be_tested(history: Path):
    """Without the report, which takes as long as the search, and which the next test makes."""
    with started(history, "-c", SEARCH, program=sys.executable) as running:
        said, _ = running.communicate(timeout=1500)
    assert running.returncode == 0, said
    assert f"surely: {revision(history, PLANTED)[:10]} number {PLANTED}\n" in said
    # Which of them is come across depends on how long builds took: what says most in a minute is looked at next.
    reasons = {str(LOSSY): "does not keep its data", str(BROKEN): "does not build"}
    stepped = dict(re.findall(r"stepped over \w+ number (\d+) .*: (does not \w+(?: its data)?)", said))
    assert stepped, said
    assert stepped.items() <= reasons.items(), said
    good = f"results/bisect-mine-*/logs/verify/at-{revision(history, 0)[:10]}.*.log"
    assert len(list(history.glob(good))) == 1, "the good end is verified once for all of its pairs"
    # Nothing of it is among the user's experiments, and none is left over.
    assert [path.name for path in (history / "experiments").glob("*.yaml")] == ["mine.yaml"]
    assert "bisect" not in call(history, "clean")


def test_one_commit_alone_is_found_across_a_stop_and_reported(history: Path):
    """Between these two there is no other; so the ends tell all, and their blocks are those of the report."""
    words = ("bisect", "mine", "--good", f"v{PLANTED - 1}", "--bad", f"v{PLANTED}", *COUNTER)
    earlier, culprit = (revision(history, number) for number in (PLANTED - 1, PLANTED))
    name = f"bisect-mine-{earlier[:10]}-{culprit[:10]}"
    running = started(history, *words)
    blocks = f"results/{name}/work/*/*/*/block.json"
    deadline = time.monotonic() + 300
    while len(list(history.glob(blocks))) < 2:
        assert running.poll() is None, running.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.2)
    running.send_signal(signal.SIGINT)
    said, _ = running.communicate(timeout=60)
    assert (running.returncode, "the same call goes on from here" in said) == (130, True), said
    measured = {path: path.stat().st_mtime_ns for path in history.glob(blocks)}

    said = call(history, *words)
    assert {path: path.stat().st_mtime_ns for path in measured} == measured
    assert "the ends: 0 and 1 in 8 runs each: more work" in said
    assert f"the first commit with the change, surely: {culprit[:10]} number {PLANTED}\n" in said
    assert f"the report: {history}/results/{name}/report.html" in said
    written = yaml.safe_load((history / f"results/{name}/{name}.yaml").read_text())
    assert [each["rev"] for each in written["variants"].values()] == [earlier, culprit]
    assert list(written["workloads"]) == ["seq"]
