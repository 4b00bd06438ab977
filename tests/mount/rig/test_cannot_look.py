"""Where nobody can look, the capture says why and what mends it, and no job fails: the rest of a report stands."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import CHECKOUT
from tests.mount.rig.conftest import fio
from tests.mount.rig.test_unprivileged import run, users_rig  # noqa: F401  a fixture

from fuselab.files import read_json, write_json
from fuselab.jobs.process import process
from fuselab.measuring.attempts import failure_of
from fuselab.records.capture import CaptureRecord
from fuselab.records.places import ATTEMPT, CAPTURE, RUN, WORK
from fuselab.records.run import RunRecord
from fuselab.records.work import Work
from fuselab.targets.model import ProfilerSupport

pytestmark = pytest.mark.mount

NEW = ("fuse-requests", "syscalls")
EMPTY = 'mount -t tmpfs none /sys/kernel/tracing && mkdir -p $EVENTS && exec "$@"'
"""A kernel whose tracefs tells of nothing, in mounts of our own."""
HIDDEN = 'mount -t tmpfs none "$EVENTS" && exec "$@"'
"""One that does not tell of some events."""
OLD = "/sys/kernel/tracing/events/raw_syscalls/sys_enter"
"""A kernel that tells of system calls and of no request."""


def without(rig: Any, profiler: str, prefix: tuple[str, ...], env: dict[str, str]) -> RunRecord:
    """A capture of bindfs on such a machine."""
    request = rig.request(profilers=(ProfilerSupport(profiler),))
    job = rig.job(request, prefix=prefix, env=env)
    said, _ = job.communicate(timeout=120)
    assert job.returncode == 0, said
    return read_json(Path(request.out, ATTEMPT), RunRecord)


def shown(record: RunRecord, profiler: str, folder: Path) -> Any:
    """What the report shows of it, as the rule for processing makes it."""
    failure = failure_of(record)
    write_json(folder / CAPTURE, CaptureRecord("failed", failure.reason, fault=failure.fault))
    write_json(folder / "request.json", {})
    return process(profiler, [folder], "fio", Path("/usr/bin/bindfs"), folder / "processed")


@pytest.mark.parametrize(
    ("profiler", "events", "reason"),
    [
        ("fuse-requests", "/sys/kernel/tracing", "/sys/kernel/tracing, which names"),
        ("syscalls", "/sys/kernel/tracing", "/sys/kernel/tracing, which names"),
        (
            "fuse-requests",
            OLD,
            "does not tell of fuse:fuse_request_send: Linux 6.12 and newer do, and this is ",
        ),
    ],
)
def test_a_kernel_that_does_not_tell(
    rig: Any, tmp_path: Path, profiler: str, events: str, reason: str
) -> None:
    prefix = ("unshare", "--mount", "sh", "-c", EMPTY, "sh")
    record = without(rig, profiler, prefix, {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "EVENTS": events})
    assert record.fault == "not permitted"
    (tmp_path / "1").mkdir()
    profile = shown(record, profiler, tmp_path / "1")
    assert profile.status == "unavailable"
    assert reason in profile.notes[0]
    assert profile.fix


def test_of_those_that_share_a_run_only_who_cannot_look_goes_without(rig: Any) -> None:
    """The kernel tells of requests and not of system calls: whoever needs the one still has the run."""
    shared = (*NEW, "perf-oncpu")
    load = fio(rw="write", bs="64k", size="64m")
    request = rig.request(profilers=tuple(map(ProfilerSupport, shared)), load=load)
    job = rig.job(
        request,
        prefix=("unshare", "--mount", "sh", "-c", HIDDEN, "sh"),
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "EVENTS": "/sys/kernel/tracing/events/raw_syscalls"},
    )
    said, _ = job.communicate(timeout=120)
    assert job.returncode == 0, said
    (out := Path(request.out)).rename(numbered := out.with_name("1"))
    write_json(numbered / CAPTURE, CaptureRecord("ok", None))
    profiles = {
        name: process(name, [numbered], "fio", Path("/usr/bin/bindfs"), numbered / f"processed-{name}")
        for name in shared
    }
    assert {name for name, profile in profiles.items() if profile.has_picture} == {
        "fuse-requests",
        "perf-oncpu",
    }
    blind = profiles["syscalls"]
    assert (blind.status, blind.total) == ("unavailable", 0)
    assert "does not tell of raw_syscalls:sys_enter" in blind.notes[0]
    assert blind.fix


def test_where_none_of_those_that_share_a_run_can_look_there_is_no_run(rig: Any) -> None:
    request = rig.request(profilers=tuple(map(ProfilerSupport, NEW)))
    prefix = ("unshare", "--mount", "sh", "-c", EMPTY, "sh")
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "EVENTS": "/sys/kernel/tracing"}
    said, _ = rig.job(request, prefix=prefix, env=environment).communicate(timeout=120)
    record = read_json(Path(request.out, ATTEMPT), RunRecord)
    assert (record.status, record.fault, record.load_window_s) == ("failed", "not permitted", None), said


@pytest.fixture
def no_perf(tmp_path: Path) -> dict[str, str]:
    """The environment of a container in which perf is not installed."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for folder in ("/usr/sbin", "/usr/bin"):
        for path in Path(folder).iterdir():
            if path.name != "perf" and not (programs / path.name).exists():
                (programs / path.name).symlink_to(path)
    return {"PATH": str(programs)}


@pytest.mark.parametrize("profiler", ["syscalls", "perf-oncpu"])
def test_a_container_without_perf(rig: Any, tmp_path: Path, no_perf: dict[str, str], profiler: str) -> None:
    record = without(rig, profiler, (), no_perf)
    (tmp_path / "1").mkdir()
    profile = shown(record, profiler, tmp_path / "1")
    assert (profile.status, profile.notes, profile.fix) == (
        "unavailable", ("perf is not installed",), "sudo apt-get install linux-perf",
    )  # fmt: skip


def test_requests_need_no_perf(rig: Any, no_perf: dict[str, str]) -> None:
    request = rig.request(
        profilers=(ProfilerSupport("fuse-requests"),), load=fio(rw="write", bs="64k", size="1m")
    )
    said, _ = rig.job(request, env=no_perf).communicate(timeout=120)
    (out := Path(request.out)).rename(numbered := out.with_name("1"))
    assert read_json(numbered / RUN, RunRecord).status == "ok", said
    write_json(numbered / CAPTURE, CaptureRecord("ok", None))
    profile = process("fuse-requests", [numbered], "fio", Path("/usr/bin/bindfs"), numbered / "processed")
    assert (profile.status, profile.figures["lost_records"], profile.figures["picked_share"]) == ("ok", 0, 1)


def test_a_container_that_numbers_threads_by_itself(rig: Any, tmp_path: Path) -> None:
    """The kernel tells of threads by numbers that nobody in there knows."""
    prefix = ("unshare", "--pid", "--fork", "--mount-proc")
    record = without(rig, "fuse-requests", prefix, {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})
    (tmp_path / "1").mkdir()
    profile = shown(record, "fuse-requests", tmp_path / "1")
    assert profile.status == "unavailable"
    assert "the kernel numbers threads otherwise" in profile.notes[0]
    assert "--pid=host" in profile.fix


USERS = ("unshare", "--user", "--map-root-user", "--mount")
"""A container of a user's: it may read what root may, the tracefs too, and look into no kernel."""


@pytest.fixture
def guarded() -> None:
    """The kernel's default."""
    if int(Path("/proc/sys/kernel/perf_event_paranoid").read_text()) < 2:
        pytest.skip("kernel.perf_event_paranoid lets everybody look into the kernel here")


@pytest.mark.usefixtures("guarded")
def test_calls_that_may_not_be_seen_are_unavailable_and_never_none(rig: Any, tmp_path: Path) -> None:
    """perf is permitted to record them in the program, where there are none."""
    record = without(rig, "syscalls", USERS, {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})
    (tmp_path / "1").mkdir()
    profile = shown(record, "syscalls", tmp_path / "1")
    assert profile.status == "unavailable"
    assert "perf may not look: Access to performance monitoring" in profile.notes[0]
    assert "perf_event_paranoid=-1" in profile.fix


@pytest.mark.usefixtures("guarded")
def test_what_may_not_be_counted_is_not_counted_as_none(rig: Any) -> None:
    request = rig.request(purpose="work", load=fio(rw="write", bs="64k", size="1m"))
    said, _ = rig.job(request, prefix=USERS).communicate(timeout=120)
    assert (Path(request.out) / WORK).is_file(), said
    work = read_json(Path(request.out) / WORK, Work)
    hidden = {"syscalls", "fuse_requests", "context_switches_voluntary", "context_switches_involuntary"}
    assert not hidden & work.target.totals.keys()
    assert all("perf_event_paranoid=-1" in work.unavailable[name] for name in hidden)
    assert work.target.totals["cpu_ns"] > 0, "the rest is counted"


@pytest.mark.usefixtures("guarded")
def test_cpu_time_without_the_kernels_part_says_so(rig: Any) -> None:
    request = rig.request(
        profilers=(ProfilerSupport("perf-oncpu"),), load=fio(rw="write", bs="4k", size="32m")
    )
    said, _ = rig.job(request, prefix=USERS).communicate(timeout=120)
    (out := Path(request.out)).rename(numbered := out.with_name("1"))
    assert (numbered / RUN).is_file(), said
    write_json(numbered / CAPTURE, CaptureRecord("ok", None))
    profile = process("perf-oncpu", [numbered], "fio", Path("/usr/bin/bindfs"), numbered / "processed")
    assert profile.status in ("limited", "refused")
    assert "what the kernel did for it may not be sampled" in "".join(profile.notes)
    assert "perf_event_paranoid=1" in "".join((*profile.notes, profile.fix or ""))


@pytest.mark.parametrize("profiler", NEW)
def test_a_user_without_root(users_rig: Any, profiler: str) -> None:  # noqa: F811
    record = run(users_rig, users_rig.request(profilers=(ProfilerSupport(profiler),)))
    assert record["fault"] == "not permitted"
    reason, mend = record["reason"].splitlines()
    assert "may not" in reason
    assert "run as root" in mend


def test_check_plan_and_doctor_say_so_before_anything_runs() -> None:
    fuselab = shutil.which("fuselab", path=str(CHECKOUT / ".venv/bin"))
    for verb in ("check", "plan", "doctor"):
        said = subprocess.run(
            ["unshare", "--mount", "sh", "-c", EMPTY, "sh", str(fuselab), verb, "no-spans"],
            cwd=CHECKOUT, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "EVENTS": OLD}, text=True, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        ).stdout  # fmt: skip
        (line,) = [line for line in said.splitlines() if "fuse-requests" in line and "note" in line]
        assert "Linux 6.12 and newer do" in line
