"""Who stops a call while it compiles has his prompt back at once, and the next call makes what was asked."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from .conftest import Workspace
from .processes import naming, pid_of

pytestmark = pytest.mark.mount  # mounts nothing, but is a whole call of Snakemake

TARGET = """
name: slow
build: {command: {source: source, argv: [sh, -c, "[ -e done ] || exec sleep 600; cp program made"], binary: made}}
mount: {argv: ["{binary}", "{mountpoint}"]}
"""
EXPERIMENT = """
title: a build that takes ten minutes
target: slow
variants: {baseline: {}, other: {env: {A: b}}}
workloads: {seq: {fio: {rw: write, bs: 4k, size: 1m, runtime: 1s}}}
blocks: 2
"""
WANTED = "results/slow/comparisons.csv"


@pytest.fixture
def slow(workspace: Workspace) -> Workspace:
    (workspace.root / "targets").unlink()
    source = workspace.root / "targets/slow/source"
    source.mkdir(parents=True)
    (source / "program").write_text("#!/bin/sh\n")
    (source.parent / "target.yaml").write_text(TARGET)
    workspace.experiment("slow", EXPERIMENT)
    return workspace


def jobs(told: str) -> dict[str, int]:
    """How many jobs of each rule a dry run would make."""
    table = told.partition("Job stats:")[2].partition("total")[0].splitlines()
    return {
        words[0]: int(words[1]) for line in table if len(words := line.split()) == 2 and words[1].isdigit()
    }


def gone(folder: Path, within_s: float) -> None:
    deadline = time.monotonic() + within_s
    while left := naming(folder):
        assert time.monotonic() < deadline, list(map(str, left))
        time.sleep(0.1)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_call_that_is_stopped_while_it_compiles_ends_and_the_next_one_makes_all(
    slow: Workspace, number: signal.Signals
) -> None:
    running = slow.start(WANTED)
    pid_of(slow.root, "cp program made", within_s=120, while_true=lambda: running.poll() is None)
    second = slow.snakemake(WANTED)
    assert f"process {running.pid}" in second.stdout
    assert "--unlock" not in second.stdout
    assert "Traceback" not in second.stdout
    os.kill(running.pid, number)
    said, _ = running.communicate(timeout=60)  # the build would take ten minutes
    assert "Traceback" not in said
    gone(slow.root, 10)
    asked = {"build": 1, "verify": 2, "time_block": 2, "metrics": 1, "compare": 1}
    assert jobs(slow.make("-n", WANTED)) == asked
