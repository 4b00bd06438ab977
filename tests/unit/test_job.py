"""What goes wrong for a user's reason is said in a job's log without a traceback."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fuselab.rig.namespaces import PARENT

SCRIPT = """
import errno, sys
from types import SimpleNamespace
from fuselab.job import job
from fuselab.paths import tool
with job(SimpleNamespace(log=[sys.argv[1]], input=[])):
    if sys.argv[2] == "full":
        raise OSError(errno.ENOSPC, "No space left on device", "results/x")
    tool("no-such-program")
"""


@pytest.mark.parametrize(
    ("cause", "said"),
    [
        ("full", "the disk of results/x is full"),
        ("missing", "the program `no-such-program` is not installed: `make setup` installs it"),
    ],
)
def test_the_reason_is_said_and_no_traceback(tmp_path: Path, cause: str, said: str) -> None:
    log = tmp_path / "log"
    done = subprocess.run([sys.executable, "-c", SCRIPT, str(log), cause], check=False)
    assert done.returncode == 1
    assert log.read_text().strip() == said


def test_a_job_ends_with_the_snakemake_that_started_it(tmp_path: Path) -> None:
    """The next call may be making the same file already; what a job of before wrote later would be taken for its."""
    script = """
import sys, time
from types import SimpleNamespace
from fuselab.job import job
with job(SimpleNamespace(log=[sys.argv[1]], input=[])):
    print("at work", flush=True)
    time.sleep(60)
"""
    log = tmp_path / "log"
    with subprocess.Popen(["sleep", "60"]) as snakemake:
        env = {**os.environ, PARENT: str(snakemake.pid)}
        with subprocess.Popen([sys.executable, "-c", script, str(log)], env=env) as working:
            while not (log.exists() and "at work" in log.read_text()):
                assert working.poll() is None
                time.sleep(0.02)
            snakemake.kill()
            assert working.wait(timeout=5) == -signal.SIGKILL
