"""An experiment measured on one night after the other: each anew, all of them kept, one page of them."""

from __future__ import annotations

import csv
import json

import pytest

from .conftest import Workspace

pytestmark = [pytest.mark.mount, pytest.mark.slow]

NIGHTS = ("2026-03-01", "2026-03-02")
EXPERIMENT = """
title: does it stay as fast as the last release?
target: demofs
backend: memory
variants:
  release: {}
  head: {options: {inject: extend-wait=4ms}}
workloads: {seq: {fio: {rw: write, bs: 64k, size: 4m, runtime: 300ms}}}
blocks: 1
compare: {primary: [write.bw]}
"""
PAGE = "results/nights/history.html"


def test_each_night_is_measured_anew_and_kept(shared_workspace: Workspace) -> None:
    shared_workspace.experiment("nights", EXPERIMENT)
    results = shared_workspace.root / "results/nights"
    for night in NIGHTS:
        done = shared_workspace.snakemake(PAGE, "--config", f"night={night}")
        assert done.returncode == 0, done.stdout[-3000:]
    blocks = {block.parent.name for block in results.glob("blocks/seq/*/001")}
    assert len(blocks) == 2, "offsets and orders of every night are its own"
    kept = [json.loads((results / "history" / night / "plan.json").read_text()) for night in NIGHTS]
    assert {plan["workloads"][0]["spec"] for plan in kept} == blocks
    assert kept[0]["commands"] == ["snakemake --cores 4 results/nights/report.html --config night=2026-03-01"]
    with (results / "history.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["night"] for row in rows] == list(NIGHTS)
    assert all(float(row["ratio"]) < 0.8 for row in rows), "4 ms in each write were found on both"
    assert {row["era"] for row in rows} == {"1"}, "the seed of a night is no change of the load"
    assert "too few nights" in (shared_workspace.root / PAGE).read_text()


def test_without_a_night_nothing_is_measured(shared_workspace: Workspace) -> None:
    asked = shared_workspace.snakemake(PAGE)
    assert asked.returncode == 0, asked.stdout[-3000:]
    assert "Nothing to be done" in asked.stdout


def test_a_night_that_is_over_is_not_made_up(shared_workspace: Workspace) -> None:
    asked = shared_workspace.snakemake("results/nights/history/2026-02-28")
    assert asked.returncode != 0
    assert "MissingRuleException" in asked.stdout
