"""A load of names does fixed work: what each creation asks of a filesystem is the same in every run."""

from __future__ import annotations

import pytest
from tests.mount.conftest import Workspace

pytestmark = [pytest.mark.mount, pytest.mark.slow]

EXPERIMENT = """\
title: what does a creation ask for?
target: bindfs
variants:
  baseline: {}
  forgetful: {options: {fuse: "entry_timeout=0,attr_timeout=0"}}
workloads: {names: {metadata: {files: 50, operations: [create]}}}
blocks: 1
work: true
"""


def test_a_creation_is_one_request_to_create_in_every_run(workspace: Workspace) -> None:
    workspace.experiment("names", EXPERIMENT)
    workspace.make("results/names/metrics.csv")
    figures = workspace.counters("names")
    assert figures["work.fuse_requests.CREATE_per_op", "baseline"] == {1.0}
    assert figures["work.fuse_requests.CREATE_per_op", "forgetful"] == {1.0}
    (lookups,) = figures["work.fuse_requests.LOOKUP_per_op", "baseline"]
    assert min(figures["work.fuse_requests.LOOKUP_per_op", "forgetful"]) > lookups, (
        "the folder's name, each time"
    )
