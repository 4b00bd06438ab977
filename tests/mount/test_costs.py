"""`cost: true`: what a profiler costs is measured in blocks of its own, kept apart from every timed result."""

from __future__ import annotations

import csv

import pytest

from .conftest import Workspace

pytestmark = [pytest.mark.mount, pytest.mark.slow]

EXPERIMENT = """
title: what does a heap profile cost
target: demofs
backend: memory
variants: {baseline: {}, other: {env: {A: b}}}
workloads: {seq: {fio: {rw: write, bs: 64k, size: 4m, runtime: 200ms}}}
blocks: 1
profilers: [jemalloc-heap]
cost: true
"""


def test_compiled_in_and_switched_on_are_judged_apart(workspace: Workspace) -> None:
    workspace.experiment("cost", EXPERIMENT)
    workspace.make("results/cost/costs.csv", "results/cost/metrics.csv")
    with (workspace.root / "results/cost/costs.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["metric"] == "write.bw"]
    assert {row["step"] for row in rows} == {"compiled in", "switched on"}
    for row in rows:
        assert row["profiler"] == "jemalloc-heap"
        assert row["blocks"] == "8"
        assert 0 < float(row["ratio_low"]) <= float(row["ratio"]) <= float(row["ratio_high"])
    runs = [run for path, run in workspace.runs("cost").items() if "costs" in path.parts]
    assert {(run["purpose"], run["block"]) for run in runs} == {("cost", None)}
    assert {run["profiler"] for run in runs} == {"none", "jemalloc-heap"}
    with (workspace.root / "results/cost/metrics.csv").open() as file:
        assert {row["variant"] for row in csv.DictReader(file)} == {"baseline", "other"}
