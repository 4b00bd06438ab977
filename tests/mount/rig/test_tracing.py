"""Instances of the kernel's tracing: nobody else's are touched, and none is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.mount.rig.test_requests_seen import writes

from fuselab.doctor import machine
from fuselab.files import closing
from fuselab.system import tracefs, tracing
from fuselab.system.procfs import open_proc
from fuselab.targets.model import ProfilerSupport

pytestmark = [pytest.mark.mount, pytest.mark.usefixtures("mounted")]

HOLD = """
import time
from fuselab.system import tracing
with tracing.new_instance() as instance:
    instance.enable("syscalls:sys_exit_read")
    instance.on()
    print(instance.path, flush=True)
    time.sleep(60)
"""


LOOK = """
import os, sys, threading
from fuselab.system.procfs import OwnTasks
tasks = OwnTasks(int(sys.argv[1]))
def look():
    tasks.look()
    print(os.getpid(), tasks.known[tasks.own()] == (os.getpid(), threading.get_native_id()), len(tasks.known))
thread = threading.Thread(target=look)
thread.start()
thread.join()
print(sys.argv[2] in map(str, tasks.others))
"""


@pytest.fixture(scope="module")
def mounted() -> None:
    """Where it is not, as in a run: it stays."""
    tracefs.mount()


@contextmanager
def somebodys_run() -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A process that holds an instance, which is on."""
    with subprocess.Popen([sys.executable, "-c", HOLD], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        yield child, Path(child.stdout.readline().strip())
        child.kill()


def test_the_instance_of_a_killed_run_is_swept_by_the_next_run_whatever_it_does(rig, plainfs: Path) -> None:
    with somebodys_run() as (child, left):
        child.kill()
        child.wait()
        record, _ = rig.run(argv=(str(plainfs), "{state}", "{mountpoint}", "-f"), load=writes())
        assert record.status == "ok", record.reason
        assert not left.exists()


def test_threads_of_a_run_are_found_by_the_numbers_of_the_machine() -> None:
    """Behind a wall, with a descriptor of the machine's /proc: two threads, of a process that is 1 to itself."""
    with closing(open_proc()) as proc:
        behind = ["unshare", "--pid", "--fork", "--mount-proc"]
        said = subprocess.run(
            [*behind, sys.executable, "-c", LOOK, str(proc), str(os.getpid())],
            pass_fds=(proc,), check=True, capture_output=True, text=True,
        ).stdout  # fmt: skip
    assert said.splitlines() == ["1 True 2", "True"]


def test_a_run_leaves_none(rig, plainfs: Path) -> None:
    before = set(tracing.INSTANCES.iterdir())
    argv, looking = (str(plainfs), "{state}", "{mountpoint}", "-f"), (ProfilerSupport("fuse-requests"),)
    record, out = rig.run(argv=argv, load=writes(), profilers=looking)
    assert record.status == "ok", record.reason
    assert (out / "fuse-requests.trace").stat().st_size
    assert not {path for path in set(tracing.INSTANCES.iterdir()) - before if path in tracing.dead()}


def test_what_finds_no_room_is_counted() -> None:
    with tracing.new_instance() as instance:
        (instance.path / "buffer_size_kb").write_text("4")
        instance.enable("syscalls:sys_exit_read")
        instance.on()
        subprocess.run(
            ["dd", "if=/dev/zero", "of=/dev/null", "bs=1", "count=20000"], check=True, capture_output=True
        )
        instance.off()
        assert instance.lost() > 10_000


def test_the_doctor_tries_it_and_leaves_none() -> None:
    assert machine._tracing_fails("fuse:fuse_request_send") is None
    assert "No such file" in str(machine._tracing_fails("fuse:never_heard_of"))
    assert tracing.dead() == []


def test_a_run_that_is_killed_from_within_leaves_none(rig, plainfs: Path) -> None:
    looking = (ProfilerSupport("fuse-requests"),)
    before = set(tracing.INSTANCES.iterdir())
    argv = (str(plainfs), "{state}", "--sleep-us=100000", "{mountpoint}", "-f")
    job = rig.job(rig.request(argv=argv, load=writes("4k", 4), profilers=looking))
    rig.pid_of("fio", "load.fio")
    assert set(tracing.INSTANCES.iterdir()) - before
    os.kill(rig.pid_of("-m fuselab.rig.init"), signal.SIGKILL)
    job.communicate(timeout=30)
    assert not {path for path in tracing.dead() if path not in before}
