"""What a filesystem on etcd asks of it by etcd's own counters, held against what etcd numbers by itself: revisions."""

from __future__ import annotations

import re
import shutil

import pytest
from tests.mount.conftest import Workspace
from tests.mount.rig.conftest import Rig

from fuselab.files import read_json
from fuselab.records.places import WORK
from fuselab.records.request import Load
from fuselab.records.work import COUNTERS, Work
from fuselab.targets.model import ONLY, CounterSources
from fuselab.targets.services import read_service

pytestmark = [pytest.mark.mount, pytest.mark.slow]

EXPERIMENT = """
title: built to be counted
target: demofs
backend: etcd
variants: {baseline: {}, other: {options: {inject: extend-wait=1ms}}}
workloads: {w: {fio: {rw: write, bs: 4k, size: 1m}}}
"""
ASK = "etcdctl --endpoints=http://127.0.0.1:2379 get nothing --write-out=json"
CREATE = 'for i in $(seq {files}); do : > "$0/file$i"; done'


def requests(workspace: Workspace, files: int) -> tuple[dict[str, float], int]:
    """etcd's counters while `files` are created, and how many revisions it made of its data meanwhile."""
    [binary] = workspace.root.glob("results/builds/demofs/*/demofs")
    service, counters = read_service("etcd", workspace.root)
    root = workspace.root / "rig"
    root.mkdir(exist_ok=True)
    script = f"{ASK}; {CREATE.format(files=files)}; {ASK}"
    record, out = Rig(root).run(
        purpose="work",
        target="demofs",
        binary=str(binary),
        argv=(str(binary), "mount", "{mountpoint}", "--state", "{state}/demofs", "--meta-backend", "etcd",
              "--meta-etcd-urls", "http://127.0.0.1:{port}"),
        service=service,
        load=Load("command", "w", {"argv": ("sh", "-c", script, "{mountpoint}")}),
        counters=CounterSources(services=((ONLY, counters),)),
    )  # fmt: skip
    assert record.status == "ok", record.reason
    first, last = re.findall(r'"revision":(\d+)', (out / "command.log").read_text())
    work = read_json(out / WORK, Work)
    return dict(work.services[ONLY].families[COUNTERS]), int(last) - int(first)


def test_each_file_that_is_created_costs_what_etcd_numbers(workspace: Workspace) -> None:
    if not (shutil.which("etcd") and shutil.which("etcdctl")):
        pytest.skip("etcd is not installed")
    workspace.experiment("counted", EXPERIMENT)
    workspace.make("--until", "build", "--", "results/counted/report.html")
    few, few_revisions = requests(workspace, 10)
    many, many_revisions = requests(workspace, 40)
    assert few["requests.Txn"] == few_revisions
    assert many["requests.Txn"] == many_revisions
    assert many_revisions - few_revisions == 30, "one commit creates a file"
    # Two of the ranges are etcdctl's own; the rest are a filesystem's, and grow with the files or not at all.
    assert (many["requests.Range"] - few["requests.Range"]) % 30 == 0
    assert many["requests.Put"] == 0
