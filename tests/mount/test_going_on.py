"""What changes, fails or is killed on the way from YAML to report: the rest goes on, and the next call with it."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest

from .conftest import Workspace, fuse_mounts
from .processes import naming

pytestmark = [pytest.mark.mount, pytest.mark.slow]

TWO_LOADS = """
title: two loads
target: demofs
backend: memory
variants:
  baseline: {}
  waiting: {options: {inject: extend-wait=1ms}}
workloads:
  seq: {fio: {rw: write, bs: 128k, size: 8m, runtime: 500ms}}
  rand: {fio: {rw: randwrite, bs: 4k, size: 8m, runtime: 500ms}}
blocks: 2
"""


def test_an_edit_measures_what_it_touches_and_undoing_it_finds_the_old_results(workspace: Workspace) -> None:
    workspace.experiment("edit", TWO_LOADS)
    workspace.make("results/edit/comparisons.csv")
    first = {path: path.stat().st_mtime_ns for path in workspace.runs("edit")}
    workspace.experiment("edit", TWO_LOADS.replace("bs: 4k", "bs: 8k"))
    workspace.make("results/edit/comparisons.csv")
    second = {path: path.stat().st_mtime_ns for path in workspace.runs("edit")}
    new = set(second) - set(first)
    assert first.items() <= second.items()
    assert len(new) == 4
    assert all("rand" in path.parts for path in new)
    workspace.experiment("edit", TWO_LOADS)
    workspace.make("results/edit/comparisons.csv")
    assert second == {path: path.stat().st_mtime_ns for path in workspace.runs("edit")}


def test_a_target_that_never_mounts_is_an_error_with_its_last_words(workspace: Workspace) -> None:
    target = workspace.root / "targets"
    target.unlink()
    (target / "mute").mkdir(parents=True)
    (target / "mute/target.yaml").write_text(
        "name: mute\ntitle: never ready\nbuild: {installed: {binary: sh}}\n"
        'mount: {argv: [sh, -c, "echo no store to be found >&2; exit 3"], ready: {timeout: 5s}}\n'
    )
    workspace.experiment(
        "mute",
        "title: mute\ntarget: mute\nvariants: {baseline: {}, other: {env: {A: b}}}\n"
        "workloads: {seq: {fio: {rw: write, bs: 4k, size: 1m, runtime: 1s}}}\n",
    )
    done = workspace.snakemake("results/mute/report.html")
    assert done.returncode != 0
    assert "no store to be found" in done.stdout
    assert "Traceback" not in done.stdout
    assert not (workspace.root / "results/mute/report.html").exists()


def test_a_variant_that_fails_is_a_failed_verdict_and_the_rest_goes_on(workspace: Workspace) -> None:
    waiting = "waiting: {options: {inject: extend-wait=1ms}}"
    corrupting = "corrupting: {options: {inject: corrupt=1}}"
    text = TWO_LOADS.replace(waiting, f"{corrupting}\n  {waiting}").replace("backend: memory\n", "")
    workspace.experiment("corrupt", f"{text}compare: {{primary: [write.bw]}}\n")
    workspace.make("results/corrupt/report.html")
    rows = workspace.comparisons("corrupt")
    assert rows["corrupting", "write.bw"]["verdict"].startswith("failed")
    assert not rows["waiting", "write.bw"]["verdict"].startswith("failed")
    verify = json.loads(
        next((workspace.root / "results/corrupt/verify/corrupting").glob("*/verify.json")).read_text()
    )
    assert "verify" in verify["reason"]


def test_kill_9_leaves_nothing_behind_and_the_next_call_goes_on(workspace: Workspace) -> None:
    workspace.experiment("killed", TWO_LOADS.replace("blocks: 2", "blocks: 4").replace("500ms", "1s"))
    mounts = fuse_mounts()
    running = workspace.start("results/killed/comparisons.csv")
    blocks = workspace.root / "results/killed/blocks"
    deadline = time.monotonic() + 840
    while not list(blocks.glob("*/*/*/block.json")):
        assert time.monotonic() < deadline
        assert running.poll() is None
        time.sleep(0.2)
    os.kill(running.pid, signal.SIGKILL)
    running.wait()
    kept = {path: path.stat().st_mtime_ns for path in workspace.runs("killed")}
    _wait_until_gone(workspace.root, 5)
    assert fuse_mounts() == mounts
    assert list((workspace.root / ".snakemake/locks").glob("*"))
    workspace.make("results/killed/comparisons.csv")
    after = {path: path.stat().st_mtime_ns for path in workspace.runs("killed")}
    assert kept.items() <= after.items()
    assert len(after) == 2 + 16


def _wait_until_gone(root: Path, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while left := naming(root):
        assert time.monotonic() < deadline, left
        time.sleep(0.1)
