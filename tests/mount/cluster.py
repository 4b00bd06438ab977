"""A real slurm of two nodes on this machine: munge, slurmctld and two slurmd, started and stopped here.

Each node has a hostname, a disk and a /run/fuselab of its own, so that it is another machine for all that a rig asks.
"""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.mount.processes import eventually

NODES = ("node-a", "node-b")
URGENT = "urgent"
"""A partition whose jobs take the nodes of others away, which begin anew."""
# What stands in the place of /etc/slurm on every node: the jobs of Snakemake's plugin forget the environment's.
_NODE = """
hostname "$0"
mount --bind "$1" /etc/slurm
mount --bind "$1/$0" "$2"
mkdir -p -m 700 /run/fuselab
mount -t tmpfs -o mode=700 none /run/fuselab
exec slurmd -D -f "$1/slurm.conf" -N "$0"
"""


@dataclass(frozen=True)
class Slurm:
    conf: Path
    pids: dict[str, int]
    """Of each node's slurmd."""
    disk: Path
    """On every node its own, empty at first; here nothing."""

    @property
    def env(self) -> dict[str, str]:
        return {"SLURM_CONF": str(self.conf)}

    def ask(self, *argv: str) -> str:
        return subprocess.check_output(argv, env={**os.environ, **self.env}, text=True, timeout=60)

    def on(self, node: str, *argv: str | Path) -> None:
        """Do something in a node's own mounts."""
        subprocess.run(["nsenter", "--mount", "--target", str(self.pids[node]), *argv], check=True)

    def left_on(self, node: str) -> list[str]:
        """What lies on a node's disk."""
        folder = self.conf.parent / node
        return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@contextmanager
def slurm(folder: Path) -> Iterator[Slurm]:
    """A cluster that keeps its files in `folder`, with both nodes idle; nothing of it is left afterwards."""
    disk = folder / "disk"
    for made in (disk, folder / "state", *(folder / node for node in NODES)):
        made.mkdir(parents=True)
    key, socket_ = folder / "munge.key", folder / "munge.socket"
    key.write_bytes(secrets.token_bytes(128))
    key.chmod(0o600)
    conf = folder / "slurm.conf"
    conf.write_text(_conf(folder, socket_))
    cluster = Slurm(conf, {}, disk)
    with ExitStack() as stack:
        own: list[str | Path] = ["--key-file", key, "--socket", socket_, "--pid-file", folder / "munge.pid"]
        own += ["--log-file", folder / "munge.log", "--seed-file", folder / "munge.seed"]
        stack.enter_context(_daemon(folder, "munged", "munged", "--foreground", "--force", *own))
        eventually(socket_.exists, "munged has not come up")
        stack.enter_context(_daemon(folder, "slurmctld", "slurmctld", "-D", "-i", "-f", conf))
        for node in NODES:
            walls = ("unshare", "--uts", "--mount", "sh", "-e", "-c", _NODE, node, folder, disk)
            cluster.pids[node] = stack.enter_context(_daemon(folder, node, *walls))
        idle = ("sinfo", "--noheader", "--states=idle", "--format=%D")
        eventually(lambda: cluster.ask(*idle).split() == [str(len(NODES))], "the nodes have not come up")
        try:
            yield cluster
        finally:
            cluster.ask("scancel", "--full", "--signal=KILL", "--partition=all")
            eventually(lambda: cluster.ask(*idle).split() == [str(len(NODES))], "jobs have not ended")


@contextmanager
def _daemon(folder: Path, name: str, *argv: str | Path) -> Iterator[int]:
    """Its process, which ends with the test, however that ends."""
    with open(folder / f"{name}.out", "w") as out:
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", *argv], stdin=subprocess.DEVNULL, stdout=out, stderr=out
        )
        try:
            yield process.pid
        finally:
            process.terminate()
            process.wait(30)


def _conf(folder: Path, munge: Path) -> str:
    host = os.uname().nodename
    ports = _free_ports(1 + len(NODES))
    lines = [
        "ClusterName=tests",
        f"SlurmctldHost={host}(127.0.0.1)",
        f"SlurmctldPort={ports[0]}",
        f"AuthInfo=socket={munge},cred_expire=5",  # a job that is requeued waits for so long
        "SlurmUser=root",
        f"StateSaveLocation={folder}/state",
        f"SlurmdSpoolDir={folder}/%n.spool",
        f"SlurmdPidFile={folder}/%n.pid",
        f"SlurmctldPidFile={folder}/slurmctld.pid",
        "ProctrackType=proctrack/linuxproc",
        "TaskPlugin=task/none",
        "SelectType=select/cons_tres",
        "SelectTypeParameters=CR_Core",
        "SlurmdParameters=config_overrides",
        "ReturnToService=2",
        "MpiDefault=none",
        "KillWait=5",
        *(
            f"NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs={os.cpu_count()}"
            for node, port in zip(NODES, ports[1:], strict=True)
        ),
        "PreemptType=preempt/partition_prio",
        "PreemptMode=REQUEUE",
        f"PartitionName=all Nodes={','.join(NODES)} Default=YES State=UP MaxTime=INFINITE PriorityTier=1",
        f"PartitionName={URGENT} Nodes={','.join(NODES)} State=UP PriorityTier=2 PreemptMode=OFF",
    ]
    return "\n".join([*lines, ""])


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
