"""perf that has ended is not waited for, and how it ended is said before its warnings."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fuselab.errors import CannotLookError, RigError
from fuselab.profilers.capture import CaptureFolder
from fuselab.profilers.perf_session import PerfWindow, recorded, recorded_beside


@contextmanager
def window(folder: Path, said: str, script: str) -> Iterator[PerfWindow]:
    """Of a `perf` that is a shell line and has ended."""
    log = folder / "perf.log"
    log.write_text(said)
    child = subprocess.Popen(["sh", "-c", script])
    child.wait()
    acknowledge, control = os.pipe()
    try:
        yield PerfWindow(control, acknowledge, log, child)
    finally:
        os.close(control)
        os.close(acknowledge)


def test_a_killed_perf_is_called_killed(tmp_path):
    with window(tmp_path, "WARNING: no access to kptr_restrict, permission\n", "kill -9 $$") as perf:
        with pytest.raises(RigError, match=r"(?s)^perf was killed by SIGKILL\. It said:\nWARNING") as caught:
            perf.close()
        assert not isinstance(caught.value, CannotLookError)
        with pytest.raises(RigError, match="killed by SIGKILL"):
            perf.require_alive()


def test_a_perf_that_ended_by_itself_says_with_which_code(tmp_path):
    with window(tmp_path, "no such event\n", "exit 129") as perf:
        with pytest.raises(RigError, match=r"(?s)ended .exit code 129. instead of answering `ping`.*no such"):
            perf.command("ping")
        perf.require_alive()


def test_a_perf_that_may_not_look_names_the_setting(tmp_path):
    with (
        window(tmp_path, "Error: perf_event_paranoid is 4\n", "exit 255") as perf,
        pytest.raises(CannotLookError, match=r"kernel\.perf_event_paranoid=-1"),
    ):
        perf.command("ping")


def test_each_profiler_of_a_run_has_a_recording_of_its_own_and_one_of_old_serves_whoever_made_it(tmp_path):
    capture = CaptureFolder(tmp_path, 1, Path("program"), 0, 0)
    assert recorded(capture, "perf-oncpu") == tmp_path / "perf-oncpu.data"
    (tmp_path / "perf.data").touch()
    assert recorded(capture, "perf-oncpu") == tmp_path / "perf.data"
    assert recorded_beside(capture, "perf-offcpu") is None, "whose it is was not written down"
    (tmp_path / "perf-offcpu.data").touch()
    assert recorded_beside(capture, "perf-offcpu") == tmp_path / "perf-offcpu.data"
