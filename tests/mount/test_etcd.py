"""Metadata in a real etcd, through the whole workflow: a fresh server for every run, and one that is killed."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest

from .conftest import Workspace, fuse_mounts, processes_naming

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
        assert _pid(running, workspace, "fio", "load.fio")
        store = _pid(running, workspace, "etcd", "--data-dir")
        os.kill(store, signal.SIGKILL)
        killed = time.monotonic()
        while not (found := list(base.glob("attempts/**/attempt.json"))):
            assert time.monotonic() < killed + 5, processes_naming(workspace.root)
            time.sleep(0.05)
        said, _ = running.communicate(timeout=300)
    assert running.returncode == 0, said[-4000:]
    assert "died during the load: etcd (killed by SIGKILL)" in found[0].read_text()
    runs = [run for run in workspace.runs("store").values() if run["purpose"] == "timed"]
    assert {run["variant"] for run in runs} == {"baseline", "waiting"}
    assert all(run["pids"]["service"] > 1 for run in runs)
    with (workspace.root / "results/store/metrics.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["metric"] == "write.bw"]
    [waiting] = (float(row["value"]) for row in rows if row["variant"] == "waiting")
    assert 0 < waiting < 1.05 * (128 << 10) / 0.005, "each write waits for 5 ms"
    assert fuse_mounts() == mounts
    assert not processes_naming(workspace.root)


def _pid(running: subprocess.Popen[str], workspace: Workspace, program: str, word: str) -> int:
    """The process `program` that works below the workspace and has `word` in its command line, once it is there."""
    deadline = time.monotonic() + 840
    while time.monotonic() < deadline and running.poll() is None:
        for line in processes_naming(workspace.root):
            pid = int(line.split()[0])
            with suppress(OSError):
                command = Path(f"/proc/{pid}/cmdline").read_text()
                if Path(command.split("\0")[0]).name == program and word in command:
                    return pid
        time.sleep(0.05)
    raise AssertionError(f"no {program} among {processes_naming(workspace.root)}")
