"""Metadata in a real etcd, through the whole workflow: a fresh server for every run, and one that is killed."""

from __future__ import annotations

import csv
import os
import signal
import time

import pytest

from .conftest import Workspace, fuse_mounts
from .processes import naming, pid_of

pytestmark = [pytest.mark.mount, pytest.mark.slow]

EXPERIMENT = """
title: a store that is killed
target: demofs
backend: etcd
variants:
  baseline: {}
  waiting: {options: {inject: extend-wait=5ms}}
workloads:
  seq: {fio: {rw: write, bs: 128k, size: 16m, runtime: 4s}}
blocks: 1
"""


def test_kill_9_of_etcd_is_a_failed_attempt_at_once_and_the_block_is_made_again(workspace: Workspace) -> None:
    workspace.experiment("store", EXPERIMENT)
    mounts = fuse_mounts()
    with workspace.start("results/store/comparisons.csv") as running:
        base = workspace.root / "results/store"
        fio, store = (
            pid_of(workspace.root, *words, within_s=840, while_true=lambda: running.poll() is None)
            for words in (("fio", "load.fio"), ("etcd", "--data-dir"))
        )
        assert fio != store
        os.kill(store, signal.SIGKILL)
        killed = time.monotonic()
        while not list(base.glob("attempts/**/attempt.json")):
            assert time.monotonic() < killed + 5, naming(workspace.root)
            time.sleep(0.05)
        said, _ = running.communicate(timeout=300)
    assert running.returncode == 0, said[-4000:]
    # The run is tried again in its place, and what it left is put away.
    left = "".join(path.read_text() for path in base.glob("**/attempt.json"))
    assert "died during the load: etcd (killed by SIGKILL)" in left
    runs = [run for run in workspace.runs("store").values() if run["purpose"] == "timed"]
    assert {run["variant"] for run in runs} == {"baseline", "waiting"}
    assert all(run["pids"]["service"] > 1 for run in runs)
    with (workspace.root / "results/store/metrics.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["metric"] == "write.bw"]
    [waiting] = (float(row["value"]) for row in rows if row["variant"] == "waiting")
    assert 0 < waiting < 1.05 * (128 << 10) / 0.005, "each write waits for 5 ms"
    assert fuse_mounts() == mounts
    assert not naming(workspace.root)
