"""An experiment is measured on the nodes of a real slurm, each block whole on one of them; a job that is ended there
costs what it was measuring, and leaves nothing on its node.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from tests.mount.cluster import NODES, URGENT, Slurm, slurm
from tests.mount.conftest import Workspace
from tests.mount.processes import eventually, naming

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
ON_SLURM = (
    ".venv/bin/snakemake", "--workflow-profile", "profiles/slurm", "--slurm-status-command", "squeue",
    "--seconds-between-status-checks", "1", "--slurm-init-seconds-before-status-checks", "1",
)  # fmt: skip


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


def cancelled(cluster: Slurm, node: str, jobs: list[str]) -> None:
    cluster.ask("scancel", "--full", *jobs)


def preempted(cluster: Slurm, node: str, jobs: list[str]) -> None:
    """Somebody's urgent job takes the node; the others wait, and begin anew under their numbers."""
    asked = (f"--partition={URGENT}", "--exclusive", f"--nodelist={node}", "--chdir=/", "--output=/dev/null")
    urgent = cluster.ask("sbatch", "--parsable", *asked, "--wrap=true").strip()
    told = ("squeue", "--noheader", "--states=all", "--format=%T", f"--jobs={urgent}")
    eventually(lambda: cluster.ask(*told).strip() == "COMPLETED", "the urgent job was not let in", 60)
    for job in jobs:
        assert "Restarts=1" in cluster.ask("scontrol", "show", "job", job)


def out_of_time(cluster: Slurm, node: str, jobs: list[str]) -> None:
    """slurm looks every half minute whose time is up, so the load is held until then."""
    for process in processes_of(cluster, node, "fio"):
        os.kill(process, signal.SIGSTOP)
    for job in jobs:
        cluster.ask("scontrol", "update", f"JobId={job}", "TimeLimit=0")


def lost(cluster: Slurm, node: str, jobs: list[str]) -> None:
    """A node that fails; here it is back as soon as its slurmd says that it is well."""
    cluster.ask("scontrol", "update", f"NodeName={node}", "State=DOWN", "Reason=lost")


def processes_of(cluster: Slurm, node: str, program: str) -> list[int]:
    """On a node, which has a hostname of its own."""
    host = os.readlink(f"/proc/{cluster.pids[node]}/ns/uts")
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (entry / "comm").read_text().strip() == program and os.readlink(entry / "ns/uts") == host:
                found.append(int(entry.name))
    return found


@pytest.mark.parametrize("end", [cancelled, preempted, out_of_time, lost])
def test_nodes_measure_a_block_each_and_an_ended_job_costs_that_block_alone(
    workspace: Workspace, cluster: Slurm, end: Callable[[Slurm, str, list[str]], None]
):
    state = cluster.disk / "state"
    workspace.experiment("tiny", EXPERIMENT.format(state=state))
    # What needs no cluster is made here, which is quicker.
    workspace.make("--until", "verify", "--", REPORT)
    output, victim = workspace.root / "snakemake.out", NODES[0]
    with output.open("w") as out:
        child = subprocess.Popen(
            [*ON_SLURM, REPORT], cwd=workspace.root, env={**workspace.env, **cluster.env}, stdin=subprocess.DEVNULL,
            stdout=out, stderr=out,
        )  # fmt: skip
        try:
            measuring = cluster.conf.parent / victim / "state"
            eventually(lambda: bool(processes_of(cluster, victim, "fio")), "nothing is measured", 300)
            # Of the job that is ended, and of nobody else's.
            (run,) = measuring.glob("fuselab-*")
            first = cluster.ask("squeue", "--noheader", "--format=%i", "--nodelist", victim).split()
            assert first
            end(cluster, victim, first)
            eventually(lambda: not run.exists(), "something was left on the node", 90)
            code = child.wait(400)
        finally:
            child.kill()
            child.wait()
    assert code == 0, output.read_text()[-4000:]
    # This slurm finds no process whose parent has ended. A job's Snakemake may hang then, and ends a minute later.
    eventually(lambda: not naming(workspace.root), "processes are left", 120)
    assert (workspace.root / REPORT).is_file()
    hosts = defaultdict(set)
    for path, record in workspace.runs("tiny").items():
        if (path.parents[1] / BLOCK).is_file():
            hosts[path.parents[1].name].add(record["hostname"])
    assert all(len(of) == 1 for of in hosts.values())
    assert set.union(*hosts.values()) <= set(NODES)
    for node in NODES:
        assert cluster.left_on(node) in ([], LEFT)


def test_jobs_of_a_snakemake_that_was_killed_are_cancelled_by_the_next_call(
    workspace: Workspace, cluster: Slurm
):
    workspace.experiment(
        "tiny", EXPERIMENT.format(state=cluster.disk / "state").replace("blocks: 2", "blocks: 1")
    )
    workspace.make("--until", "verify", "--", REPORT)
    argv = [*ON_SLURM, REPORT]
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
