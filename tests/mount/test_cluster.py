"""An experiment is measured on the nodes of a real slurm, each block whole on one of them; a job that is ended there
costs what it was measuring, and leaves nothing on its node.
"""

from __future__ import annotations

import os
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.mount.cluster import NODES, Slurm, slurm
from tests.mount.conftest import Workspace
from tests.mount.processes import eventually

from fuselab.records.places import BLOCK

pytestmark = [pytest.mark.mount, pytest.mark.slow]

EXPERIMENT = """\
state: {state}
variants:
  directory: {{target: directory}}
  bindfs: {{target: bindfs}}
workloads:
  seq: {{fio: {{rw: write, bs: 64k, size: 1m, runtime: 2s}}}}
blocks: 2
"""
LEFT = ["state", "state/.lock"]
REPORT = "results/tiny/report.html"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    with slurm(tmp_path_factory.mktemp("slurm")) as cluster:
        yield cluster


def test_the_doctor_asks_every_node_what_it_lacks(cluster: Slurm, checkout: Path):
    lacking = NODES[1]
    cluster.on(lacking, "mount", "--bind", "-o", "ro", "/etc/hostname", "/dev/fuse")
    try:
        done = subprocess.run(
            [".venv/bin/fuselab", "doctor", "--on", "slurm"], cwd=checkout, env={**os.environ, **cluster.env},
            text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, timeout=300,
        )  # fmt: skip
    finally:
        cluster.on(lacking, "umount", "/dev/fuse")
    assert done.returncode == 1, done.stdout
    bad = [line for line in done.stdout.splitlines() if line.startswith("BAD")]
    assert len(bad) == 1, done.stdout
    assert bad[0].startswith(f"BAD   {lacking}: FUSE: /dev/fuse cannot be opened")


def test_nodes_measure_a_block_each_and_an_ended_job_costs_that_block_alone(
    workspace: Workspace, cluster: Slurm
):
    state = cluster.disk / "state"
    workspace.experiment("tiny", EXPERIMENT.format(state=state))
    # What needs no cluster is made here, which is quicker.
    workspace.make("--until", "verify", "--", REPORT)
    argv = [".venv/bin/snakemake", "--workflow-profile", "profiles/slurm", "--slurm-status-command", "squeue"]
    argv += ["--seconds-between-status-checks", "1", "--slurm-init-seconds-before-status-checks", "1"]
    output = workspace.root / "snakemake.out"
    with output.open("w") as out:
        child = subprocess.Popen(
            [*argv, REPORT], cwd=workspace.root, env={**workspace.env, **cluster.env}, stdin=subprocess.DEVNULL,
            stdout=out, stderr=out,
        )  # fmt: skip
        try:
            victim = NODES[0]
            measuring = cluster.conf.parent / victim / "state"
            eventually(lambda: any(measuring.glob("fuselab-*/data/*")), "nothing is measured", 300)
            first = cluster.ask("squeue", "--noheader", "--format=%i", "--nodelist", victim).split()
            cluster.ask("scancel", "--full", *first)
            assert first
            eventually(lambda: cluster.left_on(victim) == LEFT, "something was left on the node", 30)
            code = child.wait(300)
        finally:
            child.kill()
            child.wait()
    assert code == 0, output.read_text()[-4000:]
    assert (workspace.root / REPORT).is_file()
    hosts = defaultdict(set)
    for path, run in workspace.runs("tiny").items():
        if (path.parents[1] / BLOCK).is_file():
            hosts[path.parents[1].name].add(run["hostname"])
    assert all(len(of) == 1 for of in hosts.values())
    assert set.union(*hosts.values()) <= set(NODES)
    for node in NODES:
        assert cluster.left_on(node) == LEFT


def test_jobs_of_a_snakemake_that_was_killed_are_cancelled_by_the_next_call(
    workspace: Workspace, cluster: Slurm
):
    workspace.experiment(
        "tiny", EXPERIMENT.format(state=cluster.disk / "state").replace("blocks: 2", "blocks: 1")
    )
    workspace.make("--until", "verify", "--", REPORT)
    argv = [".venv/bin/snakemake", "--workflow-profile", "profiles/slurm", "--slurm-status-command", "squeue"]
    argv += ["--seconds-between-status-checks", "1", "--slurm-init-seconds-before-status-checks", "1", REPORT]
    env = {**workspace.env, **cluster.env}
    child = subprocess.Popen(
        argv, cwd=workspace.root, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        eventually(
            lambda: any(cluster.conf.parent.glob("node-*/state/fuselab-*/data/*")), "nothing is measured", 300
        )
    finally:
        child.kill()
        child.wait()
    left = cluster.ask("squeue", "--noheader", "--states=running", "--format=%i").split()
    assert left, "its jobs go on"
    cluster.ask("scontrol", "suspend", ",".join(left))  # so that none ends before the next call sees it
    done = subprocess.run(
        argv, cwd=workspace.root, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, check=False, timeout=400,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:]
    assert f"of a snakemake that was killed here, and cancels them: {', '.join(left)}" in done.stdout
    assert (workspace.root / REPORT).is_file()
    for node in NODES:
        assert cluster.left_on(node) in ([], LEFT)
