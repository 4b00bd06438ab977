"""From one YAML file to a report, on a real filesystem: what the README promises, on a small experiment."""

from __future__ import annotations

import json
import shutil

import pytest

from .conftest import Workspace

pytestmark = [pytest.mark.mount, pytest.mark.slow, pytest.mark.alone]

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


@pytest.fixture(scope="module")
def small(shared_workspace: Workspace) -> Workspace:
    """The small experiment, made once."""
    shared_workspace.experiment("small", SMALL)
    shared_workspace.make("results/small/report.html")
    return shared_workspace


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


def test_runs_of_a_block_share_their_seed_and_stand_in_its_own_order(small: Workspace) -> None:
    for block in sorted((small.root / "results/small/blocks").glob("*/*/*/block.json")):
        record = json.loads(block.read_text())
        runs = [json.loads((block.parent / name / "run.json").read_text()) for name in record["order"]]
        assert {run["randseed"] for run in runs} == {record["randseed"]}
        starts = [run["started_unix_s"] for run in runs]
        assert starts == sorted(starts)


def test_the_planted_wait_is_slower_and_the_control_is_not(small: Workspace) -> None:
    rows = small.comparisons("small")
    assert rows["waiting", "write.bw"]["verdict"].startswith("slower")
    assert float(rows["waiting", "write.bw"]["ratio"]) < 0.8
    # By the method's own level, six blocks of nothing are called different in 1 experiment of 32. What a rig does that
    # treats its sides unlike is larger than what chance does (`make bench-method` counts the alarms themselves).
    low, high = (float(rows["control", "write.bw"][f"ratio_{end}"]) for end in ("low", "high"))
    assert low < 1.1
    assert high > 1 / 1.1


def test_both_captures_name_functions_and_are_compared(small: Workspace) -> None:
    base = small.root / "results/small"
    for profiler in ("perf-oncpu", "jemalloc-heap"):
        folded = (base / f"processed/baseline/seq/{profiler}/folded.txt").read_text()
        assert "demofs::" in folded
        assert (base / f"diffs/waiting-vs-baseline/seq/{profiler}/diff.svg").stat().st_size > 1000
        assert (base / f"diffs/waiting-vs-baseline/seq/{profiler}/movers.csv").stat().st_size > 100
    assert "waiting" in (base / "report.html").read_text()


def test_a_build_is_made_once_for_all_who_ask(small: Workspace) -> None:
    builds = sorted((small.root / "results/builds/demofs").glob("*/build.json"))
    features = [json.loads(build.read_text())["features"] for build in builds]
    assert sorted(features) == [[], ["jemalloc-profiling"]]
    for build in builds:
        record = json.loads(build.read_text())
        assert record["build_id"]
        assert "force-frame-pointers=yes" in record["env"]["RUSTFLAGS"]
        assert record["env"]["CARGO_PROFILE_RELEASE_DEBUG"] == "limited"


def test_a_second_call_finds_nothing_to_do(small: Workspace) -> None:
    before = {path: path.stat().st_mtime_ns for path in small.runs("small")}
    assert "Nothing to be done" in small.make("results/small/report.html")
    assert before == {path: path.stat().st_mtime_ns for path in small.runs("small")}


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
