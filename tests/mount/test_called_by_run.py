"""`fuselab run` on a terminal and without one: what is said meanwhile, at the end, and when it is stopped."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from .conftest import Workspace, fuse_mounts
from .processes import naming, pid_of

pytestmark = [pytest.mark.mount, pytest.mark.slow]

EXPERIMENT = """
title: a folder, and the folder mounted
target: directory
variants: {plain: {}, mounted: {target: bindfs}}
workloads: {seq: {fio: {rw: write, bs: 128k, size: 4m, runtime: RUNTIME}}}
blocks: 6
compare: {primary: [write.bw]}
"""
BROKEN = """
build: {command: {source: source, argv: [sh, -c, "echo the disk is made of cheese; exit 1"], binary: made}}
mount: {argv: ["{binary}", "{mountpoint}"]}
"""
ENDING = re.compile(
    r"trial: a folder, and the folder mounted\n  mounted writes .*plain.*\n  the report: .*report\.html$"
)


@pytest.fixture
def trial(workspace: Workspace) -> Workspace:
    workspace.experiment("trial", EXPERIMENT.replace("RUNTIME", "1s"))
    return workspace


def started(space: Workspace, *words: str, terminal: int | None = None) -> subprocess.Popen[str]:
    """`fuselab run`, in a session of its own; `terminal` is the end of one that programs see."""
    argv = [".venv/bin/fuselab", "run", *words]
    streams = subprocess.PIPE if terminal is None else terminal
    return subprocess.Popen(
        argv if terminal is None else ["setsid", "--ctty", "--wait", *argv],
        cwd=space.root, env={**space.env, "TERM": "xterm", "COLUMNS": "200"}, text=True,
        stdin=subprocess.DEVNULL if terminal is None else terminal, stdout=streams,
        stderr=subprocess.STDOUT if terminal is None else terminal, start_new_session=terminal is None,
    )  # fmt: skip


def shown(master: int, until: str | None = None) -> str:
    """Up to what has `until` in it, or until the last program that had the terminal has ended.

    What moves the cursor is left out.
    """
    said = b""
    while until is None or until.encode() not in said:
        try:
            got = os.read(master, 65536)
        except OSError:  # the other end is closed
            break
        if not got:
            break
        said += got
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "\n", said.decode())
    return re.sub(r"\n+", "\n", text.replace("\r", "\n"))


def gone(folder: Path) -> None:
    deadline = time.monotonic() + 15
    while left := naming(folder):
        assert time.monotonic() < deadline, list(map(str, left))
        time.sleep(0.1)


def test_without_a_terminal_each_step_is_a_line_and_the_verdict_the_end(trial: Workspace):
    said, _ = (running := started(trial, "experiments/trial.yaml")).communicate(timeout=600)
    assert running.returncode == 0, said
    lines = said.splitlines()
    assert any(re.search(r"\d\d:\d\d:\d\d block 3 of 6 under seq, about \d+ .*left", line) for line in lines)
    assert any(re.search(r"write\.bw of mounted x\d.* so far", line) for line in lines)
    assert ENDING.search(said.strip())
    assert "\x1b" not in said
    assert not [run for run in trial.runs("trial").values() if "FUSELAB_FOLLOWED" in run["env"]]
    again, _ = (second := started(trial, "results/trial")).communicate(timeout=600)
    assert (second.returncode, again) == (0, said[said.index("trial: a folder") :])
    (trial.root / "results/trial/report.html").unlink()
    assert ENDING.search(trial.make("--quiet", "all", "--", "results/trial/report.html").strip())


def test_on_a_terminal_one_line_is_written_anew_and_ctrl_c_stops_it(trial: Workspace):
    trial.experiment("trial", EXPERIMENT.replace("RUNTIME", "300s"))
    before = fuse_mounts()
    master, slave = pty.openpty()
    running = started(trial, "trial", terminal=slave)
    os.close(slave)
    before_it = shown(master, until="block 1 of 6 under seq, about")
    assert "block 1 of 6 under seq, about" in before_it
    os.write(master, b"\x03")
    said = before_it + shown(master)
    assert running.wait(60) == 128 + signal.SIGINT, said
    assert said.count("stopped by SIGINT; the same call goes on from here") == 1
    assert "failed" not in said
    assert "Traceback" not in said
    gone(trial.root)
    assert fuse_mounts() == before


def test_sigterm_stops_it_and_leaves_nothing(trial: Workspace):
    trial.experiment("trial", EXPERIMENT.replace("RUNTIME", "300s"))
    before = fuse_mounts()
    running = started(trial, "trial")
    pid_of(trial.root, "fio", "--output-format=json", within_s=120, while_true=lambda: running.poll() is None)
    running.terminate()
    said, _ = running.communicate(timeout=60)
    assert running.returncode == 128 + signal.SIGTERM, said
    assert said.rstrip().endswith("stopped by SIGTERM; the same call goes on from here")
    gone(trial.root)
    assert fuse_mounts() == before


def test_the_first_failure_that_leaves_a_report_out_ends_it_in_its_own_words(workspace: Workspace):
    workspace.target("broken", BROKEN)
    (workspace.root / "targets/broken/source").mkdir()
    text = EXPERIMENT.replace("RUNTIME", "1s").replace("target: bindfs", "target: broken")
    workspace.experiment("trial", text)
    said, _ = (running := started(workspace, "trial")).communicate(timeout=600)
    assert running.returncode == 1, said
    assert "this failed, and no report can be made without it: build broken" in said
    assert "the disk is made of cheese" in said
    assert "Traceback" not in said
    assert not (workspace.root / "results/trial/blocks").exists()
