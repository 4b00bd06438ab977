"""What goes wrong is said in words, blamed on the right one, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fuselab.errors import RigError
from fuselab.records.request import Load
from fuselab.records.run import RunRecord
from fuselab.targets.model import Service, Stopping

pytestmark = pytest.mark.mount

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounts or drops privileges to set the scene")


def fio(**options: str) -> Load:
    return Load(kind="fio", workload="w", settings={"jobs": {"job": options}, "global": {}}, randseed=1)


def shell(line: str) -> tuple[str, ...]:
    return ("sh", "-c", line, "{state}", "{mountpoint}")


def failed(rig: Any, **changes: Any) -> RunRecord:
    record, out = rig.run(**changes)
    assert record.status == "failed"
    assert not (out / "run.json").exists(), "its presence means that the run is complete"
    assert json.loads((out / "attempt.json").read_text())["reason"] == record.reason
    assert isinstance(record, RunRecord)
    return record


def test_a_target_that_ends_early_is_quoted(rig):
    record = failed(rig, argv=shell("echo cannot reach the store >&2; exit 3"))
    assert "ended before it was mounted" in (record.reason or "")
    assert "exit code 3" in (record.reason or "")
    assert "cannot reach the store" in (record.reason or "")


def test_a_target_that_never_becomes_ready_is_quoted_and_killed(rig):
    record = failed(rig, argv=shell("echo waiting for the store >&2; sleep 1000"), ready_timeout_s=0.5)
    assert "not mounted within 0.5 s" in (record.reason or "")
    assert "waiting for the store" in (record.reason or "")


def test_a_target_that_ends_well_without_mounting_is_not_waited_for(rig):
    record = failed(rig, argv=shell("echo usage >&2"), ready_timeout_s=600.0)
    assert "ended (exit code 0) without mounting" in (record.reason or "")
    assert "usage" in (record.reason or "")


def test_a_target_that_goes_into_the_background_without_mounting(rig):
    record = failed(rig, argv=shell("setsid sleep 1000 & exit 0"), ready_timeout_s=2.5)
    assert "not mounted within 2.5 s" in (record.reason or "")


def test_a_target_that_refuses_the_load_is_quoted(rig):
    refuse = 'echo a cache is needed for that >&2; exec bindfs -r -f "$0" "$1"'
    record = failed(rig, argv=shell(refuse))
    first, _, rest = (record.reason or "").partition("\n")
    assert first.startswith("fio failed in job: ")
    assert "The target's last words:\n    a cache is needed for that" in rest
    assert record.target is not None
    assert record.target.log_bytes == record.target.log_kept_bytes == len("a cache is needed for that\n")


def test_a_target_that_dies_under_the_load(rig):
    record = failed(
        rig,
        argv=shell('bindfs -f "$0" "$1" & sleep 3; echo out of luck >&2; kill -9 $!; kill -9 $$'),
        load=fio(rw="write", bs="4k", size="1m", runtime="30s"),
    )
    assert "died during the load: target (killed by SIGKILL)" in (record.reason or "")
    assert "out of luck" in (record.reason or "")
    assert "fio" in (record.reason or ""), "what the load said stands there too"
    assert (record.reason or "").count("out of luck") == 1


def test_a_load_that_was_killed_because_its_target_died_has_nothing_to_say(rig):
    die = 'bindfs -f "$0" "$1" & sleep 2; kill -STOP $!; echo out of luck >&2; kill -9 $$'
    record = failed(
        rig,
        argv=shell(die),
        load=fio(rw="write", bs="4k", size="1m", runtime="60s"),
        stop=Stopping("unmount", "TERM", 2),
    )
    assert "died during the load: target (killed by SIGKILL):\n    out of luck" in (record.reason or "")
    assert "fio" not in (record.reason or ""), "fuselab itself has killed it"


def test_a_target_that_hangs_under_the_load(rig):
    record = failed(
        rig,
        argv=shell('bindfs -f "$0" "$1" & sleep 3; kill -STOP $!; wait'),
        load=Load(
            "fio",
            "w",
            {"jobs": {"j": {"rw": "write", "size": "1m", "runtime": "30s"}}, "global": {}},
            timeout_s=3.0,
        ),
        stop=Stopping("unmount", "TERM", 2.0),
    )
    assert "did not end within 3 s" in (record.reason or "")


def test_a_target_that_ignores_its_signal_is_killed_and_the_run_does_not_count(rig):
    line = 'trap "" TERM; bindfs -f "$0" "$1" & while :; do sleep 0.1; done'
    record = failed(rig, argv=shell(line), stop=Stopping("unmount", "TERM", 1.0))
    assert "did not end within 1 s of SIGTERM and was killed" in (record.reason or "")


def test_a_mount_that_stays_busy_is_taken_away(rig):
    line = 'bindfs -f "$0" "$1" & sleep 0.5; cd "$1"; wait'
    load = Load("command", "w", {"argv": ["sleep", "1"]})
    record = failed(rig, argv=shell(line), load=load, stop=Stopping("unmount", "TERM", 1.0))
    assert "could not be unmounted within 1 s" in (record.reason or "")
    assert "busy" in (record.reason or "")


@needs_root
def test_a_load_that_finds_no_space_says_so(rig):
    small = 'mkdir "$0/s" && mount -t tmpfs -o size=1m none "$0/s" && exec bindfs -f "$0/s" "$1"'
    record = failed(rig, argv=shell(small), load=fio(rw="write", bs="64k", size="4m", fallocate="none"))
    assert "job: No space left on device (error 28)" in (record.reason or "")
    assert [entry.name for entry in (rig.root / "state").iterdir()] == [".lock"], (
        "a target's own mount is no obstacle"
    )


def test_a_load_that_finds_nothing_to_do_says_so(rig):
    record = failed(
        rig, load=fio(rw="write", size="1m", runtime="1s", ramp_time="0", number_ios="0", bs="2m")
    )
    assert "fio" in (record.reason or "")


def test_a_failing_step_before_the_load_is_quoted(rig):
    load = Load(
        "fio",
        "w",
        {"jobs": {"j": {}}, "global": {}},
        prepare=(("sh", "-c", "echo no data here >&2; exit 9"),),
    )
    record = failed(rig, load=load)
    assert "exit code 9" in (record.reason or "")
    assert "no data here" in (record.reason or "")


def test_a_command_fails_unless_its_exit_code_is_the_expected_one(rig):
    record = failed(rig, load=Load("command", "w", {"argv": ["sh", "-c", "echo oh no; exit 4"]}))
    assert "exit code 4" in (record.reason or "")
    assert "oh no" in (record.reason or "")
    record, _ = rig.run(load=Load("command", "w", {"argv": ["sh", "-c", "exit 4"], "expect_exit": 4}))
    assert record.status == "ok"


MISSING = ("no-such-mkfs", "{state}")


def test_a_missing_program_of_a_step_is_the_variants_fault_and_names_the_step(rig):
    record = failed(rig, argv=("bindfs", "-f", "{state}", "{mountpoint}"), prepare=(("true",), MISSING))
    assert (record.reason or "").startswith(
        "`prepare` step 2 of target bindfs failed: the program `no-such-mkfs` is not installed"
    )
    record = failed(rig, load=replace(fio(rw="write", size="1m"), prepare=(("no-such-untar",),)))
    assert (record.reason or "").startswith(
        "`prepare` step 1 of the load w failed: the program `no-such-untar` is not installed"
    )
    record = failed(rig, load=Load("command", "w", {"argv": ["no-such-make"]}))
    assert (record.reason or "").startswith(
        "`argv` of the load w: the program `no-such-make` is not installed"
    )


def test_the_targets_own_missing_program_is_the_machines_fault(rig):
    with pytest.raises(RigError, match="`no-such-fs` is not installed"):
        rig.run(argv=("no-such-fs", "{mountpoint}"))


LOST = """
import ctypes, os, sys, time
fd = os.open("/dev/fuse", os.O_RDWR)
options = f"fd={fd},rootmode=40000,user_id=0,group_id=0"
ctypes.CDLL(None).mount(b"lost", sys.argv[1].encode(), b"fuse.lost", 0, options.encode())
print("no route", flush=True)
os.close(fd)
time.sleep(1000)
"""


def test_a_mount_that_does_not_answer_is_told_of_its_network(rig):
    for network in ("private", "host"):
        record = failed(rig, argv=("python3", "-c", LOST, "{mountpoint}"), network=network)
        first, _, rest = (record.reason or "").partition("\n")
        assert "mounted but does not answer" in first
        assert ("`network: host` reaches servers elsewhere" in first) == (network == "private")
        assert "no route" in rest


def test_a_mount_without_its_root_is_told_of_no_network(rig, plainfs):
    record = failed(rig, argv=(str(plainfs), "{state}", "--lose-root=1", "{mountpoint}", "-f"))
    first, _, _ = (record.reason or "").partition("\n")
    assert "mounted but does not answer" in first
    assert "No such file or directory" in first
    assert "network" not in first
    assert "its root is not there" in first


def test_a_port_in_use_is_the_machines_fault_and_names_the_mend(rig):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        service = Service("store", ("python3", "-m", "http.server", "{port}"), port)
        with pytest.raises(RigError, match=f"port {port}, which store needs, is in use.*network: host"):
            rig.run(network="host", service=service)
        record, _ = rig.run(service=service)
        assert record.status == "ok", "inside a network of its own every port is free"


def test_a_service_that_ends_is_quoted(rig):
    service = Service("store", ("sh", "-c", "echo bad configuration >&2; exit 1"), 7777)
    with pytest.raises(
        RigError, match=r"(?s)ended before it was ready: store .exit code 1.*bad configuration"
    ):
        rig.run(service=service)


def test_a_service_that_never_listens_is_given_up(rig):
    service = Service("store", ("sleep", "1000"), 7777, ready_timeout_s=0.5)
    with pytest.raises(RigError, match=r"not ready within 0.5 s"):
        rig.run(service=service)


def test_a_service_that_dies_under_the_load(rig):
    line = "python3 -m http.server {port} & sleep 2; kill -9 $!; kill -9 $$"
    service = Service("store", ("sh", "-c", line), 7777)
    record = failed(rig, service=service, load=fio(rw="write", size="1m", runtime="4s"))
    assert "died during the load: store" in (record.reason or "")


@needs_root
def test_a_full_disk_stops_a_run_before_it_starts(rig):
    state = f"{rig.root}/results/state"  # which may be a disk of its own
    request = rig.request(state_root=state)
    scene = f'mkdir -p {state} && mount -t tmpfs -o size=100m none {state} && exec "$@"'
    job = rig.job(request, prefix=("unshare", "--mount", "sh", "-c", scene, "sh"))
    said, _ = job.communicate(timeout=60)
    assert job.returncode == 1
    assert "is full: " in said
    assert "MiB free" in said
    assert "state:" in said, "the mend"


@needs_root
def test_a_disk_that_fills_up_under_the_load_is_not_the_variants_fault(rig):
    state = f"{rig.root}/results/state"
    request = rig.request(state_root=state, load=fio(rw="write", bs="1m", size="900m"))
    scene = f'mkdir -p {state} && mount -t tmpfs -o size=300m none {state} && exec "$@"'
    job = rig.job(request, prefix=("unshare", "--mount", "sh", "-c", scene, "sh"))
    said, _ = job.communicate(timeout=120)
    assert job.returncode == 1
    assert f"RigError: the disk below {state} is full" in said
    assert "No space left on device" in said


@needs_root
def test_a_full_disk_below_the_results_is_not_the_variants_fault(rig):
    request = rig.request(load=fio(rw="write", bs="4k", size="1m"))
    fill = f"head -c 40m /dev/zero > {request.out}/filler; exit 1"
    request = replace(request, mount=replace(request.mount, prepare=(("sh", "-c", fill),)))
    scene = f'mount -t tmpfs -o size=20m none {request.out} && exec "$@"'
    job = rig.job(request, prefix=("unshare", "--mount", "sh", "-c", scene, "sh"))
    said, _ = job.communicate(timeout=120)
    assert job.returncode == 1
    assert f"RigError: the disk below {request.out} is full" in said


@needs_root
def test_forbidden_namespaces_name_the_mend(rig):
    forbid = 'unshare --user --map-root-user sh -c \'echo 0 > /proc/sys/user/max_mnt_namespaces; exec "$@"\' sh "$@"'
    job = rig.job(rig.request(), prefix=("sh", "-c", forbid, "sh"))
    said, _ = job.communicate(timeout=60)
    assert "RigError: a run needs namespaces of its own, and this machine does not permit them" in said
    assert "No space left on device" in said or "not permitted" in said


def test_a_missing_program_names_its_package(rig, monkeypatch, tmp_path):
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("unshare", "setpriv", "umount"):
        (tools / name).symlink_to(Path("/usr/bin", name))
    monkeypatch.setenv("PATH", str(tools))
    with pytest.raises(RigError, match="`fio` is not installed: apt-get install fio"):
        rig.run(argv=())


@needs_root
def test_a_missing_fuse_device_names_the_mend(rig):
    request = rig.request()
    job = rig.job(
        request,
        prefix=(
            "unshare",
            "--mount",
            "sh",
            "-c",
            'mount -t tmpfs none /dev; mknod /dev/null c 1 3; exec "$@"',
            "sh",
        ),
    )
    said, _ = job.communicate(timeout=60)
    assert "RigError: there is no /dev/fuse" in said
    assert "modprobe fuse" in said


def test_a_fault_of_ours_does_not_pass_for_the_variants(rig):
    with pytest.raises(RigError, match=r"(?s)a mistake of its own.*Traceback"):
        rig.run(load=Load("fio", "w", {"no jobs": "at all"}))
