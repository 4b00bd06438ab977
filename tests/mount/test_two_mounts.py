"""`mounts: 2`: two mounts of one store in one run, both reached from YAML alone."""

import json

import pytest
from tests.mount.conftest import Workspace

pytestmark = [pytest.mark.mount, pytest.mark.slow]

EXPERIMENT = """\
target: demofs
backend: etcd
mounts: 2
variants: {baseline: {}, floor: {target: directory}}
workloads:
  across:
    prepare: [[mkdir, "{mountpoint}/a"], [mkdir, "{mountpoint2}/b"]]
    fio:
      global: {rw: write, bs: 64k, size: 4m, runtime: 500ms}
      jobs:
        one: {directory: "{mountpoint}/b"}
        two: {directory: "{mountpoint2}/a"}
  handover:
    prepare: [[cp, /bin/true, "{mountpoint}/file"]]
    command: {argv: [cmp, /bin/true, "{mountpoint2}/file"]}
blocks: 1
profilers: [trace-chrome]
"""


def test_what_one_mount_writes_the_other_reads(workspace: Workspace):
    workspace.experiment("shared", EXPERIMENT)
    workspace.make("results/shared/report.html")
    runs = {
        (run["purpose"], run["workload"]): (path, run)
        for path, run in workspace.runs("shared").items()
        if run["variant"] == "baseline"
    }
    for workload in ("across", "handover"):
        assert set(runs["timed", workload][1]["pids"]) == {"service", "target", "target-2"}
    path, _ = runs["timed", "across"]
    jobs = json.loads((path.parent / "fio.json").read_text())["jobs"]
    assert sum(job["write"]["io_bytes"] for job in jobs) > 0
    path, traced = runs["capture", "across"]
    assert any("look at the first of 2 mounts" in mark for mark in traced["marks"])
    spans = workspace.root / "results/shared/processed/baseline/across/trace-chrome/spans.parquet"
    assert spans.is_file(), "the second mount has not written over the first one's trace"
