"""A user without root makes the same runs, where /dev/fuse may be opened: in a user namespace."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fuselab.programs import tool
from fuselab.records.request import Load, RunRequest
from fuselab.records.run import outcome_of
from fuselab.targets.model import ProfilerSupport, Service, Stopping

pytestmark = [
    pytest.mark.mount,
    pytest.mark.skipif(os.geteuid() != 0, reason="not root: the other tests of this folder say the same"),
]

NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--")
OPEN_FUSE = 'mount --bind "$1" /dev/fuse && shift && exec "$@"'
"""In mounts of our own: /dev/fuse is a node that everybody may open, as on most machines; the machine's stays."""


def interpreter() -> list[str]:
    """A Python with our packages that everybody may run; ours may lie in root's home folder."""
    packages = os.pathsep.join(
        [sysconfig.get_path("purelib"), *(path for path in sys.path if Path(path, "fuselab").is_dir())]
    )
    for program in (sys.executable, "/usr/bin/python3"):
        argv = ["env", f"PYTHONPATH={packages}", program]
        done = subprocess.run(
            [*NOBODY, *argv, "-c", "import fuselab, msgspec"], capture_output=True, check=False
        )
        if done.returncode == 0:
            return argv
    pytest.skip("no Python here that an unprivileged user may run")


@pytest.fixture
def users_rig(rig) -> Iterator[object]:
    """A rig in a folder of nobody's."""
    if subprocess.run([*NOBODY, "unshare", "--user", "true"], check=False).returncode != 0:
        pytest.skip("user namespaces are forbidden here")
    with tempfile.TemporaryDirectory() as folder:
        os.chown(folder, 65534, 65534)
        node = Path(folder, "fuse")
        os.mknod(node, 0o666 | stat.S_IFCHR, os.stat("/dev/fuse").st_rdev)
        node.chmod(0o666)
        yield type(rig)(Path(folder))


def as_nobody(rig: Any) -> tuple[str, ...]:
    return ("unshare", "--mount", "sh", "-c", OPEN_FUSE, "sh", str(rig.root / "fuse"), *NOBODY)


def run(rig: Any, request: RunRequest) -> dict[str, Any]:
    os.chown(request.out, 65534, 65534)
    job = rig.job(request, prefix=as_nobody(rig), program=interpreter(), cwd=rig.root)
    said, _ = job.communicate(timeout=120)
    assert job.returncode == 0, said
    path = outcome_of(Path(request.out))
    assert path is not None, said
    record: dict[str, Any] = json.loads(path.read_text())
    return record


def test_a_user_without_root_mounts_and_measures(users_rig):
    record = run(users_rig, users_rig.request(prepare=(("id", "-u"),)))
    assert record["status"] == "ok", record["reason"]
    assert record["mount"]["fstype"] == "fuse"
    assert record["target"]["cpu_s"] > 0
    assert record["environment"]["other_user_cpu_share"] is not None
    out = next(users_rig.root.glob("out-*"))
    assert {path.stat().st_uid for path in out.iterdir()} == {65534}


def test_the_kernel_forgets_the_names_of_a_user_s_mount_too(users_rig, monkeypatch):
    shutil.copy(tool("fuselab-metadata"), users_rig.root)
    monkeypatch.setenv("PATH", f"{users_rig.root}:{os.environ['PATH']}")
    settings = {"files": 50, "folders": 1, "size": 100, "threads": 1, "listings": 1}
    load = Load("metadata", "m", {**settings, "operations": ("create", "stat", "unpack")}, randseed=1)
    request = users_rig.request(load=load)
    record = run(users_rig, request)
    assert record["status"] == "ok", record["reason"]
    assert json.loads(Path(request.out, "load.json").read_text())["forgetting"] is not None


def test_what_the_kernel_forbids_a_user_fails_its_capture_alone(users_rig):
    """The scheduler is hidden from users where perf_event_paranoid is at its default: the mend is in the record."""
    if int(Path("/proc/sys/kernel/perf_event_paranoid").read_text()) < 0:
        pytest.skip("users may see the scheduler here")
    record = run(users_rig, users_rig.request(profilers=(ProfilerSupport("perf-offcpu"),)))
    assert record["status"] == "failed"
    assert record["reason"].startswith("perf-offcpu is unavailable: /sys/kernel/tracing")
    assert "sudo sysctl kernel.perf_event_paranoid=-1" in record["reason"]


def test_a_hung_target_is_ended_though_its_connection_cannot_be_aborted(users_rig):
    hang = 'bindfs -f "$0" "$1" & sleep 1; kill -STOP $!; wait'
    load = Load(
        "fio",
        "w",
        {"jobs": {"j": {"rw": "write", "size": "1m", "runtime": "30s"}}, "global": {}},
        timeout_s=2.0,
    )
    request = users_rig.request(
        argv=("sh", "-c", hang, "{state}", "{mountpoint}"),
        load=load,
        stop=Stopping("unmount", "TERM", 1.0),
    )
    record = run(users_rig, request)
    assert record["status"] == "failed"
    assert users_rig.nothing_left()


def test_kill_9_of_a_users_job_leaves_nothing(users_rig):
    load = Load("fio", "w", {"jobs": {"j": {"rw": "write", "size": "1m", "runtime": "60s"}}, "global": {}})
    request = users_rig.request(load=load)
    os.chown(request.out, 65534, 65534)
    job = users_rig.job(request, prefix=as_nobody(users_rig), program=interpreter(), cwd=users_rig.root)
    users_rig.pid_of("fio", "load.fio")
    job.kill()
    assert users_rig.nothing_left(within_s=5), users_rig.left()
    job.communicate()


def test_a_service_that_refuses_root_is_shown_another_account(users_rig):
    who = "import os, http.server as h; assert os.geteuid() != 0; h.test(h.SimpleHTTPRequestHandler, port={port})"
    service = Service("store", ("python3", "-c", who), 7777, user="daemon")
    record = run(users_rig, users_rig.request(service=service))
    assert record["status"] == "ok", record["reason"]
