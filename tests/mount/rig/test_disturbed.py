"""A run that somebody has stopped for a second is void, and says who was stopped."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest

from fuselab.records.request import Load

pytestmark = pytest.mark.mount

SLOW = {"rw": "write", "bs": "4k", "size": "1m", "runtime": "4s", "ramp_time": "0"}


def worker(rig) -> int:
    """The process that makes the run: the child of the pid namespace's first."""
    first: int = rig.pid_of("fuselab.rig.init", "-m")
    while True:
        found = [int(pid) for pid in Path(f"/proc/{first}/task/{first}/children").read_text().split()]
        for pid in found:
            if b"fuselab.rig.init" in Path(f"/proc/{pid}/cmdline").read_bytes():
                first = pid
                break
        else:
            return first


@pytest.mark.parametrize(
    ("who", "words"),
    [
        ("fio", r"fio (pid "),
        ("plainfs", r"plainfs (pid "),
        ("worker", "the rig itself was stopped from outside"),
    ],
)
def test_who_is_stopped_for_a_second_voids_the_run(rig, plainfs, who, words):
    load = Load("fio", "w", {"jobs": {"job": SLOW}, "global": {}})
    request = rig.request(argv=(str(plainfs), "{state}", "-f", "{mountpoint}"), load=load, purpose="timed")
    job = rig.job(request)
    loading = rig.pid_of("fio", "--output-format=json")
    pid = {"fio": loading, "plainfs": rig.pid_of("plainfs", "-f"), "worker": worker(rig)}[who]
    time.sleep(0.7)  # the load has begun
    os.kill(pid, signal.SIGSTOP)
    time.sleep(1.0)
    os.kill(pid, signal.SIGCONT)
    said, _ = job.communicate(timeout=60)
    assert said.splitlines()[-1] == "void", said
    record = json.loads(Path(request.out, "run.json").read_text())
    assert words in record["reason"]
    assert "stopped from outside" in record["reason"]
