"""From a measured experiment to what a paper needs: its bundle, the same measured elsewhere, Snakemake's own report."""

from __future__ import annotations

import hashlib
import json
import re
import zipfile
from pathlib import Path

import pytest

from .conftest import Workspace, new_workspace

pytestmark = [pytest.mark.mount, pytest.mark.slow]

PAPER = """
title: a wait to write about
target: demofs
backend: memory
variants:
  baseline: {}
  waiting: {options: {inject: extend-wait=4ms}}
workloads:
  seq: {fio: {rw: write, bs: 128k, size: 8m, runtime: 500ms}}
blocks: 6
profilers: [perf-oncpu]
compare: {primary: [write.bw]}
"""


@pytest.fixture(scope="module")
def here(shared_workspace: Workspace) -> Workspace:
    shared_workspace.experiment("paper", PAPER)
    shared_workspace.make("results/paper/bundle.zip", "results/report.html")
    return shared_workspace


@pytest.fixture(scope="module")
def files(here: Workspace) -> dict[str, bytes]:
    with zipfile.ZipFile(here.root / "results/paper/bundle.zip") as bundle:
        return {name: bundle.read(name) for name in bundle.namelist()}


def verdict(workspace: Workspace) -> str:
    summary = json.loads((workspace.root / "results/paper/summary.json").read_text())
    (row,) = summary["comparisons"]
    return str(row["verdict"])


def test_a_bundle_holds_the_experiment_its_figures_and_its_machine(here: Workspace, files: dict[str, bytes]):
    for name in (
        "experiment.yaml",
        "plan.json",
        "methods.md",
        "targets/demofs/target.yaml",
        "locks/requirements.txt",
    ):
        assert files[name], name
    assert files["comparisons.csv"] == (here.root / "results/paper/comparisons.csv").read_bytes()
    for name in (
        "figures/ratios",
        "figures/paired-seq-write-bw",
        "flamegraphs/baseline.seq.perf-oncpu.flamegraph",
    ):
        assert files[f"{name}.pdf"].startswith(b"%PDF"), name
        assert b"<svg" in files[f"{name}.svg"], name
    (machine,) = json.loads(files["environment.json"])["measured"]
    assert machine["cpus"] > 0
    lines = (line.split("  ") for line in files["checksums.sha256"].decode().splitlines())
    assert all(hashlib.sha256(files[name]).hexdigest() == digest for digest, name in lines)


def test_the_methods_tell_the_blocks_that_were_measured(here: Workspace, files: dict[str, bytes]):
    said = files["methods.md"].decode().replace("\N{NO-BREAK SPACE}", " ")
    blocks = [
        json.loads(p.read_text()) for p in (here.root / "results/paper/blocks").glob("*/*/*/block.json")
    ]
    noisy = sum(block["noisy"] for block in blocks)
    assert "6 blocks were measured" in said
    assert (f"{noisy} of them were kept" in said) == (noisy > 0)
    assert "fio 3." in said


def test_another_measurement_says_whether_the_verdict_held(
    here: Workspace, tmp_path: Path, checkout_root: Path
):
    elsewhere = new_workspace(tmp_path, checkout_root)
    elsewhere.experiment("paper", PAPER)
    bundle = here.root / "results/paper/bundle.zip"
    elsewhere.make("--config", f"bundle={bundle}", "--", "results/paper/reproduced.html")
    page = (tmp_path / "results/paper/reproduced.html").read_text().replace("\N{NO-BREAK SPACE}", " ")
    there, now = verdict(here), verdict(elsewhere)
    undecided = {"inconclusive", "failed"} & {there, now}
    outcome = "0 of 0" if undecided else "1 of 1" if there == now else "0 of 1"
    assert re.search(rf"{outcome} verdicts? held", page) or (
        undecided and "No verdict can be compared" in page
    )
    assert "differs from the one in the bundle" not in page


def test_a_bundle_that_is_not_there_is_asked_for(here: Workspace):
    done = here.snakemake("results/paper/reproduced.html")
    assert done.returncode != 0
    assert "bundles/paper.zip" in done.stdout
    assert "--config bundle=" in done.stdout
    assert "Traceback" not in done.stdout


def test_snakemakes_own_report_labels_what_was_made(here: Workspace):
    here.make("--report", "snakemake.html", "--", "results/paper/report.html")
    text = (here.root / "snakemake.html").read_text()
    for said in (
        "comparisons.csv",
        "Every contrast of paper",
        "The page of paper",
        "Every figure of every timed run",
    ):
        assert said in text
