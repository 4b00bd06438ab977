"""From one YAML file to a report, on a real filesystem: what the README promises, on a small experiment."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from .conftest import Workspace, fuse_mounts, processes_naming

pytestmark = pytest.mark.mount

SMALL = """
title: small
target: demofs
variants:
  baseline: {}
  waiting: {options: {inject: extend-wait=1ms}}
control: true
workloads:
  seq: {fio: {rw: write, bs: 128k, size: 16m, runtime: 1s}}
blocks: 6
profilers: [perf-oncpu, jemalloc-heap]
compare: {primary: [write.bw]}
"""
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


@pytest.fixture(scope="module")
def small(shared_workspace: Workspace) -> Workspace:
    """The small experiment, made once."""
    shared_workspace.experiment("small", SMALL)
    shared_workspace.make("results/small/report.html")
    return shared_workspace


@pytest.mark.slow
def test_every_run_is_a_real_mount_under_real_load(small: Workspace) -> None:
    runs = small.runs("small")
    timed = [run for run in runs.values() if run["purpose"] == "timed"]
    assert len(timed) == 18
    for path, run in runs.items():
        assert "fuse" in run["mount"]["fstype"]
        assert run["exit_codes"]["target"] == 0
        assert (run["purpose"] == "timed") == (run["block"] is not None)
        if run["purpose"] == "timed":
            fio = json.loads((path.parent / "fio.json").read_text())
            assert run["profiler"] == "none"
            assert sum(job["write"]["io_bytes"] for job in fio["jobs"]) > 1_000_000
            assert run["phases"]["load_s"] > 1


@pytest.mark.slow
def test_runs_of_a_block_share_their_seed_and_stand_in_its_own_order(small: Workspace) -> None:
    for block in sorted((small.root / "results/small/blocks").glob("*/*/*/block.json")):
        record = json.loads(block.read_text())
        runs = [json.loads((block.parent / name / "run.json").read_text()) for name in record["order"]]
        assert {run["randseed"] for run in runs} == {record["randseed"]}
        starts = [run["started_unix_s"] for run in runs]
        assert starts == sorted(starts)


@pytest.mark.slow
def test_the_planted_wait_is_slower_and_the_control_is_not(small: Workspace) -> None:
    rows = small.comparisons("small")
    assert rows["waiting", "write.bw"]["verdict"].startswith("slower")
    assert float(rows["waiting", "write.bw"]["ratio"]) < 0.8
    assert not rows["control", "write.bw"]["verdict"].startswith(("slower", "faster"))


@pytest.mark.slow
def test_both_captures_name_functions_and_are_compared(small: Workspace) -> None:
    base = small.root / "results/small"
    for profiler in ("perf-oncpu", "jemalloc-heap"):
        folded = (base / f"processed/baseline/seq/{profiler}/folded.txt").read_text()
        assert "demofs::" in folded
        assert (base / f"diffs/waiting-vs-baseline/seq/{profiler}/diff.svg").stat().st_size > 1000
        assert (base / f"diffs/waiting-vs-baseline/seq/{profiler}/movers.csv").stat().st_size > 100
    assert "waiting" in (base / "report.html").read_text()


@pytest.mark.slow
def test_a_build_is_made_once_for_all_who_ask(small: Workspace) -> None:
    builds = sorted((small.root / "results/builds/demofs").glob("*/build.json"))
    features = [json.loads(build.read_text())["features"] for build in builds]
    assert sorted(features) == [[], ["jemalloc-profiling"]]
    for build in builds:
        record = json.loads(build.read_text())
        assert record["build_id"]
        assert "force-frame-pointers=yes" in record["env"]["RUSTFLAGS"]
        assert record["env"]["CARGO_PROFILE_RELEASE_DEBUG"] == "limited"


@pytest.mark.slow
def test_a_second_call_finds_nothing_to_do(small: Workspace) -> None:
    before = {path: path.stat().st_mtime_ns for path in small.runs("small")}
    assert "Nothing to be done" in small.make("results/small/report.html")
    assert before == {path: path.stat().st_mtime_ns for path in small.runs("small")}


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_kill_9_leaves_nothing_behind_and_the_next_call_goes_on(workspace: Workspace) -> None:
    workspace.experiment("killed", TWO_LOADS.replace("blocks: 2", "blocks: 4").replace("500ms", "1s"))
    mounts = fuse_mounts()
    running = subprocess.Popen(
        workspace.argv("results/killed/comparisons.csv"),
        cwd=workspace.root, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    blocks = workspace.root / "results/killed/blocks"
    deadline = time.monotonic() + 300
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


@pytest.mark.slow
def test_measurements_that_were_deleted_are_made_again(small: Workspace) -> None:
    before = {path: path.stat().st_mtime_ns for path in small.runs("small")}
    blocks = sorted((small.root / "results/small/blocks").glob("*/*/*"))
    shutil.rmtree(blocks[2])
    small.make("results/small/report.html")
    after = {path: path.stat().st_mtime_ns for path in small.runs("small")}
    assert {path for path, made in after.items() if before[path] != made} == {
        path for path in before if blocks[2] in path.parents
    }
    assert "Nothing to be done" in small.make("results/small/report.html")


def _wait_until_gone(root: Path, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while left := processes_naming(root):
        assert time.monotonic() < deadline, left
        time.sleep(0.1)
