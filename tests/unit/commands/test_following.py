"""What is started ends with us, however we end, and is told once."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

RUNS = """
import sys
from pathlib import Path
from fuselab.commands.following import Stopped, run_to_the_end
try:
    sys.exit(run_to_the_end([sys.executable, "-c", sys.argv[1]], Path(".")))
except Stopped as stopped:
    sys.exit(128 + stopped.number)
"""
CHILD = """
import os, signal, time
told = open("told", "a", buffering=1)
def end(number, _):
    told.write(f"{number} ")
    time.sleep(0.2)
    raise SystemExit(0)
signal.signal(signal.SIGINT, end)
open("pid", "w").write(str(os.getpid()))
while True:
    time.sleep(60)
"""


def started(folder: Path) -> tuple[subprocess.Popen[bytes], int]:
    us = subprocess.Popen([sys.executable, "-c", RUNS, CHILD], cwd=folder, start_new_session=True)
    deadline = time.monotonic() + 30
    while not ((folder / "pid").is_file() and (folder / "pid").read_text()):
        assert us.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return us, int((folder / "pid").read_text())


def gone(pid: int) -> bool:
    """Within a bound for what hangs: ended, or a zombie that nobody has collected."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.02)
    return False


def test_killed_without_a_word_it_takes_along_what_it_started(tmp_path: Path):
    us, child = started(tmp_path)
    us.kill()
    us.wait()
    assert gone(child)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_is_passed_on_once_and_waited_for(tmp_path: Path, number: int):
    us, child = started(tmp_path)
    os.killpg(us.pid, number)  # as a terminal does
    assert us.wait(30) == 128 + number
    assert gone(child)
    assert (tmp_path / "told").read_text().split() == [str(int(signal.SIGINT))]


def test_its_exit_code_is_ours(tmp_path: Path):
    done = subprocess.run([sys.executable, "-c", RUNS, "raise SystemExit(7)"], cwd=tmp_path, check=False)
    assert done.returncode == 7
