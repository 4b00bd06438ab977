"""What goes wrong for a user's reason is said in a job's log without a traceback."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fuselab.system.namespaces import PARENT

SCRIPT = """
import errno, sys
from types import SimpleNamespace
from fuselab.jobs.job import job
from fuselab.programs import tool
with job(SimpleNamespace(log=[sys.argv[1]], input=[])):
    if sys.argv[2] == "full":
        raise OSError(errno.ENOSPC, "No space left on device", "results/x")
    if sys.argv[2] in dir(errno):
        raise OSError(getattr(errno, sys.argv[2]), "system's words", "results/x")
    tool("no-such-program")
"""


@pytest.mark.parametrize(
    ("cause", "said"),
    [
        ("full", "the disk of results/x is full: free some space"),
        (
            "EROFS",
            "results/x is on a disk that is mounted read-only: mount it writable, or work in another checkout",
        ),
        (
            "EACCES",
            "results/x may not be used by you: chown or chmod it (what root has made without sudo is root's)",
        ),
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
from fuselab.jobs.job import job
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


def test_where_the_log_is_full_too_the_reason_is_said_on_the_screen() -> None:
    argv = [sys.executable, "-c", SCRIPT, "/dev/full", "full"]
    done = subprocess.run(argv, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr.strip()) == (1, "the disk of results/x is full: free some space")


def test_ctrl_c_ends_a_job_without_a_traceback(tmp_path: Path) -> None:
    script = """
import sys, time
from types import SimpleNamespace
from fuselab.jobs.job import job
with job(SimpleNamespace(log=[sys.argv[1]], input=[])):
    print("at work", flush=True)
    time.sleep(60)
"""
    log = tmp_path / "log"
    argv = ["env", "--default-signal=INT", sys.executable, "-c", script, str(log)]
    with subprocess.Popen(argv, stderr=subprocess.PIPE, text=True) as working:
        while not (log.exists() and "at work" in log.read_text()):
            assert working.poll() is None
            time.sleep(0.02)
        working.send_signal(signal.SIGINT)
        assert working.stderr is not None
        assert working.stderr.read() == ""
        assert working.wait(timeout=5) == 130
    assert log.read_text() == "at work\n"


def test_a_job_follows_its_snakemake_before_it_goes_on_to_slow_imports() -> None:
    """Killed in the meantime, a job would go on for as long as its imports take."""
    gone = subprocess.Popen(["true"])
    gone.wait()
    script = "import fuselab.jobs.job; print('goes on')"
    env = {**os.environ, PARENT: str(gone.pid)}
    done = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (-signal.SIGKILL, b"")


def test_every_script_imports_the_job_first(checkout: Path) -> None:
    for script in (checkout / "scripts").glob("*.py"):
        first = next(line for line in script.read_text().splitlines() if line.startswith("from fuselab"))
        assert first.startswith("from fuselab.jobs.job import"), script.name
