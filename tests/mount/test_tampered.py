"""What was measured and changed afterwards is measured again, and nothing else is."""

from __future__ import annotations

import pytest

from .conftest import Workspace

pytestmark = pytest.mark.mount  # mounts nothing, but is a real load

BARE = """
title: the disk with itself
target: directory
variants: {baseline: {}, other: {env: {A: b}}}
workloads: {seq: {fio: {rw: write, bs: 128k, size: 8m, runtime: 300ms}}}
blocks: 2
"""
WANTED = "results/bare/comparisons.csv"


def test_a_changed_block_is_measured_again_by_the_call_that_would_have_read_it(workspace: Workspace) -> None:
    workspace.experiment("bare", BARE)
    workspace.make(WANTED)
    base = workspace.root / "results/bare"
    before = {path: path.stat().st_mtime_ns for path in workspace.runs("bare")}
    victim = next(base.glob("blocks/seq/*/001/baseline/fio.json"))
    wrong = victim.read_text().replace('"total_ios" : ', '"total_ios" : 9')
    victim.write_text(wrong)
    for name in ("metrics.csv", "comparisons.csv"):
        (base / name).unlink()
    said = workspace.make(WANTED)
    assert "001/baseline/fio.json is not what was recorded" in said
    assert victim.read_text() != wrong
    assert [path.read_text() for path in base.glob("attempts/blocks.seq.*.001/1/baseline/fio.json")] == [
        wrong
    ]
    after = {path: path.stat().st_mtime_ns for path in workspace.runs("bare")}
    again = {path for path in before if after[path] != before[path]}
    assert again == {path for path in before if path.parents[1] == victim.parents[1]}
