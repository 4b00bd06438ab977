"""`blocks: auto` through the whole workflow: as many blocks as it takes, and no more."""

from __future__ import annotations

import json

import pytest

from .conftest import Workspace

pytestmark = [pytest.mark.mount, pytest.mark.slow]

AUTO = """
title: how many blocks does it take
target: directory
variants:
  baseline: {env: {SIDE: a}}
  other: {env: {SIDE: b}}
workloads:
  level: {command: {argv: [sleep, "0.3"]}}
  wild: {command: {argv: [sh, -c, 'if rm MARK 2> /dev/null; then sleep 0.3; else : > MARK; sleep 0.1; fi']}}
blocks: auto
compare: {primary: [command.wall_s], threshold: 30%}
"""
"""In every block of `wild` one run takes three times as long as the other: which one is a matter of the balanced order,
so no number of blocks decides it. The threshold leaves room for what else runs on the machine."""


def test_each_workload_stops_at_the_look_that_decides(workspace: Workspace) -> None:
    workspace.experiment("auto", AUTO.replace("MARK", str(workspace.root / "mark")))
    workspace.make("results/auto/comparisons.csv")
    base = workspace.root / "results/auto"
    looks = {
        (path.parts[-3], int(path.stem)): json.loads(path.read_text())["next"]
        for path in base.glob("looks/*/*/*.json")
    }
    assert looks == {("level", 12): None, ("wild", 12): 20, ("wild", 20): 32}
    blocks = {name: len(list(base.glob(f"blocks/{name}/*/*/block.json"))) for name in ("level", "wild")}
    assert blocks == {"level": 12, "wild": 32}
    rows = [row for row in workspace.rows("auto") if row["metric"] == "command.wall_s"]
    assert {row["workload"]: (row["blocks"], row["level"]) for row in rows} == {
        "level": ("12", "0.978"),
        "wild": ("32", "0.978"),
    }
    # Nothing is left to do, and a look that is taken again follows from the blocks that are there.
    assert "Nothing to be done" in workspace.make("results/auto/comparisons.csv")
    for path in base.glob("looks/wild/*/020.json"):
        path.unlink()
    again = workspace.make("results/auto/comparisons.csv")
    assert "time block" not in again
