"""A program's own figures, from the YAML to the ratio: of two filesystems that it can tell apart."""

from __future__ import annotations

import pytest

from .conftest import Workspace

pytestmark = pytest.mark.mount

FIGURES = """
title: what a program says of itself
variants:
  disk: {target: directory}
  mounted: {target: bindfs}
workloads:
  told:
    command:
      argv:
        - sh
        - -c
        - |
          if [ "$(stat --file-system --format=%t .)" = 65735546 ]; then rate=50 us=20; else rate=100 us=10; fi
          echo "creating: $rate files per second"
          echo '{"latency": {"p99": '$us'}}' > "$0/told.json"
        - "{scratch}"
      metrics:
        create: {regex: 'creating: (\\d+) files', unit: 1/s}
        p99: {json: $.latency.p99, file: "{scratch}/told.json", unit: us}
blocks: 2
"""


def test_figures_that_a_command_writes_are_judged_as_all_others_are(workspace: Workspace):
    workspace.experiment("figures", FIGURES)
    workspace.make("results/figures/comparisons.csv")
    rows = workspace.comparisons("figures")
    create, p99 = rows["mounted", "command.create"], rows["mounted", "command.p99"]
    assert create["family"] == p99["family"] == "primary", "what the experiment names decides"
    assert rows["mounted", "command.wall_s"]["family"] == "exploratory"
    assert (create["typical_baseline"], create["typical"], create["better"]) == ("100.0", "50.0", "higher")
    assert (p99["typical_baseline"], p99["typical"], p99["better"]) == ("10000.0", "20000.0", "lower")
    assert float(create["ratio"]) == pytest.approx(0.5)
    assert float(p99["ratio"]) == pytest.approx(2.0)
