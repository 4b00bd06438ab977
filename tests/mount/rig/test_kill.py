"""Whoever is killed, and however: seconds later there is no process, no mount, and no half record."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from fuselab.records.request import Load
from fuselab.rig.run import execute
from fuselab.system.namespaces import PARENT, contained
from fuselab.targets.model import Service, Stopping

pytestmark = pytest.mark.mount

LONG = Load(
    "fio", "w", {"jobs": {"j": {"rw": "write", "bs": "4k", "size": "1m", "runtime": "60s"}}, "global": {}}
)


@pytest.fixture
def running(rig):
    """A job in mid-load: with a service, a mount and fio."""
    service = Service(
        "store", (sys.executable, "-m", "http.server", "{port}"), 7777, env=(("WHERE", "{state}"),)
    )
    request = rig.request(load=LONG, service=service)
    job = rig.job(request)
    rig.pid_of("fio", "load.fio")
    time.sleep(0.5)
    yield job, Path(request.out)
    if job.poll() is None:
        job.kill()
    job.wait()


def ended(job: subprocess.Popen[str]) -> str:
    said, _ = job.communicate(timeout=30)
    return said


def test_kill_9_of_the_job_leaves_nothing(rig, running, mounts_before):
    job, out = running
    job.kill()
    assert rig.nothing_left(within_s=5), rig.left()
    assert mounts_before()
    assert not (out / "run.json").exists()
    job.wait()


def test_kill_9_of_what_started_the_job_leaves_nothing(rig):
    request = rig.request(load=LONG)
    parent = rig.job(request, prefix=("sh", "-c", '"$@"; true', "sh"))  # sh stands for Snakemake
    rig.pid_of("fio", "load.fio")
    parent.kill()
    assert rig.nothing_left(within_s=5), rig.left()
    parent.communicate()


def test_a_job_whose_snakemake_was_killed_before_the_job_had_started_ends_by_itself(rig):
    gone = subprocess.Popen(["true"])
    gone.wait()
    job = rig.job(rig.request(load=LONG), prefix=("env", f"{PARENT}={gone.pid}"))
    job.communicate(timeout=30)
    assert job.returncode == -signal.SIGKILL
    assert rig.nothing_left(within_s=5), rig.left()


@pytest.mark.parametrize(
    "victim", [("unshare", "--pid"), ("-m fuselab.rig.init",)], ids=["unshare", "first process inside"]
)
def test_kill_9_of_a_wall_leaves_nothing_and_is_said(rig, running, victim):
    job, out = running
    os.kill(rig.pid_of(*victim), signal.SIGKILL)
    assert "RigError: the run was ended from outside (" in (said := ended(job))
    assert "SIGKILL" in said
    assert rig.nothing_left(within_s=5), rig.left()
    assert not (out / "run.json").exists()
    assert [entry.name for entry in (rig.root / "state").iterdir()] == [".lock"]


def test_kill_9_of_the_target_is_a_failed_run(rig, running):
    job, out = running
    os.kill(rig.pid_of("bindfs -f"), signal.SIGKILL)
    assert ended(job).splitlines()[-1] == "failed"
    assert "died during the load: target (killed by SIGKILL)" in (out / "attempt.json").read_text()
    assert not (out / "run.json").exists()


def test_kill_9_of_the_service_is_a_failed_run_at_once(rig, running):
    """The load asks nothing of the service, and would go on for a minute."""
    job, out = running
    os.kill(rig.pid_of("http.server"), signal.SIGKILL)
    assert rig.nothing_left(within_s=5), rig.left()
    assert ended(job).splitlines()[-1] == "failed"
    assert "died during the load: store (killed by SIGKILL)" in (out / "attempt.json").read_text()


@pytest.mark.parametrize(
    ("doing", "load"),
    [
        ("load", Load("command", "w", {"argv": ["sleep", "1234"]})),
        ("preparation", Load("command", "w", {"argv": ["true"]}, prepare=(("sleep", "1234"),))),
    ],
)
def test_kill_9_of_the_target_ends_what_does_not_touch_it(rig, doing, load):
    request = rig.request(load=load)
    job = rig.job(request)
    rig.pid_of("sleep 1234")
    os.kill(rig.pid_of("bindfs -f"), signal.SIGKILL)
    assert rig.nothing_left(within_s=5), rig.left()
    assert ended(job).splitlines()[-1] == "failed"
    assert f"died during the {doing}: target (killed by" in Path(request.out, "attempt.json").read_text()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_takes_everything_down_in_order(rig, running, number):
    job, out = running
    job.send_signal(number)
    started = time.monotonic()
    ended(job)
    assert job.returncode in (128 + number, -number, 1), "SIGINT is Python's KeyboardInterrupt"
    assert time.monotonic() - started < 20
    assert rig.nothing_left(within_s=1), rig.left()
    assert not (out / "run.json").exists()
    assert [entry.name for entry in (rig.root / "state").iterdir()] == [".lock"], (
        "the worker removed its state itself"
    )


def test_a_terminals_ctrl_c_goes_to_the_target_by_us_alone(rig, tmp_path):
    """The whole process group gets SIGINT, but the target must be unmounted before it is told to end."""
    told = 'trap "echo told to end; kill %1" INT; bindfs -f "$0" "$1" & '
    line = told + "while kill -0 $! 2>/dev/null; do wait; done; echo ended"
    request = rig.request(
        load=LONG,
        argv=("sh", "-c", line, "{state}", "{mountpoint}"),
        stop=Stopping("unmount", "TERM", 5.0),
    )
    job = rig.job(request, start_new_session=True)
    rig.pid_of("fio", "load.fio")
    os.killpg(job.pid, signal.SIGINT)
    ended(job)
    assert "told to end" not in Path(request.out, "target.log").read_text()
    assert "ended" in Path(request.out, "target.log").read_text()


def test_a_hung_target_does_not_outlive_its_killed_job(rig):
    hang = 'bindfs -f "$0" "$1" & sleep 1; kill -STOP $!; wait'
    job = rig.job(rig.request(load=LONG, argv=("sh", "-c", hang, "{state}", "{mountpoint}")))
    rig.pid_of("fio", "load.fio")
    time.sleep(2)
    job.kill()
    assert rig.nothing_left(within_s=5), rig.left()
    job.communicate()


def test_the_next_run_goes_on_where_a_killed_one_left_its_state(rig, running):
    job, _ = running
    job.kill()
    assert rig.nothing_left(within_s=5), rig.left()
    left = [entry.name for entry in (rig.root / "state").iterdir() if entry.name != ".lock"]
    assert len(left) == 1
    record, _ = rig.run()
    assert record.status == "ok"
    assert not (rig.root / "state" / left[0]).exists()
    job.wait()


def test_execute_leaves_the_callers_signals_as_they_were(rig):
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    execute(rig.request())
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


def two_sleepers(rig: Any) -> list[str]:
    """A build that starts another one in a session of its own; both name the rig's folder in their environment.

    Only the two have a command line with `sleep 1000` and `sleep 2000` in it.
    """
    line = 'setsid sleep "$1" & exec sleep "$2"'
    return ["env", f"FOLDER={rig.root}", "sh", "-c", line, "sh", "1000", "2000"]


def test_a_contained_build_dies_with_its_job(rig):
    code = (
        "from fuselab.system.namespaces import contained\n"
        f"with contained({two_sleepers(rig)!r}) as child: child.wait()"
    )
    job = subprocess.Popen([sys.executable, "-c", code])
    rig.pid_of("sleep 1000")
    rig.pid_of("sleep 2000")
    job.kill()
    assert rig.nothing_left(within_s=5), rig.left()
    job.wait()


def test_a_contained_build_that_is_left_early_leaves_nothing(rig):
    with contained(two_sleepers(rig)):
        rig.pid_of("sleep 1000")
        rig.pid_of("sleep 2000")
    assert rig.nothing_left(within_s=5), rig.left()
