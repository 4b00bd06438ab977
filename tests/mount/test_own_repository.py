"""A filesystem is measured from its own repository, outside of any checkout, to its report; then nothing is to do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fuselab.measuring.attempts import NO_PATIENCE

pytestmark = [pytest.mark.mount, pytest.mark.slow]

TARGET = """\
name: plainfs
build:
  command: {argv: [make, plainfs], source: ../.., binary: plainfs}
mount:
  argv: ["{binary}", "{state}", "{mountpoint}", -f]
"""
EXPERIMENT = """\
name: mine
variants:
  directory: {target: directory}
  plainfs: {target: plainfs}
workloads:
  seq: {fio: {rw: write, bs: 64k, size: 1m, runtime: 300ms}}
blocks: 1
work: false
"""
FUSELAB = (str(Path(sys.executable).parent / "fuselab"),)
MAKEFILE = "plainfs: plainfs.c\n\tgcc -O2 $< -o $@ $$(pkg-config --cflags --libs fuse3)\n"


@pytest.fixture
def repository(tmp_path: Path, checkout: Path) -> Path:
    """The source of plainfs as its author would have it, with a place of experiments in it."""
    (tmp_path / "plainfs.c").write_bytes((checkout / "tests/programs/plainfs.c").read_bytes())
    (tmp_path / "Makefile").write_text(MAKEFILE)
    call(tmp_path, "git", "init", "--quiet")
    assert "wrote Snakefile" in call(tmp_path, *FUSELAB, "init")
    (tmp_path / "targets/plainfs").mkdir()
    (tmp_path / "targets/plainfs/target.yaml").write_text(TARGET)
    (tmp_path / "experiments/mine.yaml").write_text(EXPERIMENT)
    return tmp_path


def call(folder: Path, *argv: str) -> str:
    """What a program says that must succeed."""
    done = subprocess.run(
        argv, cwd=folder, env={**os.environ, NO_PATIENCE: "1"}, text=True, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:]
    return done.stdout


def test_from_the_source_to_the_report_and_no_further(repository: Path, checkout: Path):
    before = {path.name for path in (checkout / "results").iterdir()}
    snakemake = (sys.executable, "-m", "snakemake", "--cores", "2")
    call(repository, *snakemake, "results/mine/report.html")
    assert "plainfs" in (repository / "results/mine/report.html").read_text()
    assert {path.name for path in (checkout / "results").iterdir()} == before
    status = call(repository, "git", "status", "--porcelain", "--untracked-files=all")
    assert "results/" not in status
    assert ".snakemake" not in status

    again = call(repository, *snakemake, "results/mine/report.html")
    assert "Nothing to be done" in again
    assert "1 of 1" in call(repository / "targets", *FUSELAB, "plan", "mine")
    assert "plainfs" in call(repository / "targets", *FUSELAB, "query", "mine", "select variant from metrics")
    # Everything that is made there is asked for: the build, the blocks and the runs that verified.
    assert "nothing is left over" in call(repository, *FUSELAB, "clean")
