"""What goes wrong for a user's reason is said in a job's log without a traceback."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import errno, sys
from types import SimpleNamespace
from fuselab.job import job
from fuselab.paths import tool
with job(SimpleNamespace(log=[sys.argv[1]])):
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
