"""A job of a cluster whose shell was ended has a moment to end by itself, and is ended then."""

from __future__ import annotations

import os
import select
import subprocess
import sys

import pytest

JOB = """
import sys, time
from fuselab.system.namespaces import outlive_parent
outlive_parent(float(sys.argv[1]))
print("here", flush=True)
time.sleep(3600)
"""
PARENT = """
import subprocess, sys
job = subprocess.Popen([sys.executable, "-c", sys.argv[1], sys.argv[2]], stdout=subprocess.PIPE, text=True)
print(job.pid, job.stdout.readline(), flush=True)
sys.stdin.read()
"""


def ends_within(job: int, seconds: float) -> bool:
    return bool(select.select([job], [], [], seconds)[0])


@pytest.mark.parametrize("moment", [0.0, 2.0])
def test_a_job_ends_a_moment_after_whoever_started_it(moment: float) -> None:
    argv = [sys.executable, "-c", PARENT, JOB, str(moment)]
    with subprocess.Popen(argv, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        job = os.pidfd_open(int(parent.stdout.readline().split()[0]))
        assert not ends_within(job, 0.1), "as long as it has a parent"
        parent.kill()
    assert moment == 0 or not ends_within(job, moment / 4)
    assert ends_within(job, 30)
    os.close(job)
