"""`work:` counts what fixed work makes a filesystem do, in blocks of its own: planted calls are in metrics.csv."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from tests.mount.conftest import Workspace

pytestmark = [pytest.mark.mount, pytest.mark.slow]

TARGET = """\
name: plainfs
title: a folder, passed on
build: {installed: {binary: "BINARY"}}
options:
  more: {argv: ["--more-pwrites={value}"]}
  sync: {argv: ["--sync-every={value}"]}
mount: {argv: ["{binary}", "{state}", "{options}", "{mountpoint}", "-f"]}
"""
EXPERIMENT = """\
title: planted calls are counted
target: plainfs
variants:
  baseline: {}
  more: {options: {more: 1, sync: 100}}
control: true
workloads: {w: {fio: {rw: write, bs: 4k, size: 4m, direct: 1, runtime: 200ms}}}
blocks: 1
work: true
"""


def test_planted_calls_are_figures_per_operation(workspace: Workspace, plainfs: Path) -> None:
    folder = workspace.root / "targets"
    folder.unlink()
    (folder / "plainfs").mkdir(parents=True)
    (folder / "plainfs" / "target.yaml").write_text(TARGET.replace("BINARY", str(plainfs)))
    workspace.experiment("counted", EXPERIMENT)
    workspace.make("results/counted/report.html")
    with (workspace.root / "results/counted/metrics.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["metric"].startswith("work.")]
    figures = workspace.counters("counted")
    assert figures["work.pwrite64_per_op", "baseline"] == {1.0}
    assert figures["work.pwrite64_per_op", "more"] == {2.0}
    assert figures["work.fsync_per_op", "baseline"] == {0.0}, "what only the other does"
    assert figures["work.fsync_per_op", "more"] == {0.01}
    assert figures["work.fuse_requests.WRITE_per_op", "baseline"] == {1.0}
    assert figures["work.fuse_requests.WRITE_per_op", "more"] == {1.0}
    assert {row["block"] for row in rows} == {str(number) for number in range(1, 9)}
    said = (workspace.root / "results/counted/report.html").read_text()
    assert "1,000 I/Os of 4k instead of 0.2 s" in said
    verdicts = workspace.comparisons("counted")
    assert verdicts["more", "work.pwrite64_per_op"]["verdict"] == "more work"
    assert verdicts["more", "work.fsync_per_op"]["verdict"] == "more work"
    assert "more work" not in {
        verdicts["control", name]["verdict"] for _, name in verdicts if name.startswith("work.")
    }
