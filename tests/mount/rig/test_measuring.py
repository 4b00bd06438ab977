"""What a run measures is the target and the load; what others do to the machine is held against the run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from fuselab.records.request import Load
from fuselab.targets.model import ProfilerSupport
from fuselab.workloads import reading

pytestmark = pytest.mark.mount

BURN = "import time\nend = time.monotonic() + 60\nwhile time.monotonic() < end: pass"


def fio(**options: str) -> Load:
    return Load(kind="fio", workload="w", settings={"jobs": {"job": options}, "global": {}}, randseed=1)


def shell(line: str) -> tuple[str, ...]:
    return ("sh", "-c", line, "{state}", "{mountpoint}")


@contextmanager
def burner() -> Iterator[None]:
    """A process outside the rig that takes all of a core it can get."""
    child = subprocess.Popen([sys.executable, "-c", BURN])
    try:
        yield
    finally:
        child.kill()
        child.wait()


def test_a_timed_run_on_a_busy_machine_is_void(rig):
    with burner():
        record, out = rig.run(purpose="timed", load=fio(rw="write", size="1m", runtime="1s"))
    assert record.status == "void"
    assert "other processes used" in record.reason
    assert record.environment.other_user_cpu_share > 0.2
    assert (out / "run.json").exists(), "the run is complete; whether it counts is another matter"
    assert not (out / "attempt.json").exists()


def test_a_capture_on_a_busy_machine_counts_and_says_so(rig):
    with burner():
        record, _ = rig.run(load=fio(rw="write", size="1m", runtime="1s"))
    assert record.status == "ok"
    assert any("other processes used" in mark for mark in record.marks)


def test_what_the_run_itself_burns_is_not_held_against_it(rig):
    """The load, the target and the target's children take whole cores; nobody else is to blame for that."""
    (rig.root / "burnt").symlink_to(os.path.realpath(sys.executable))
    burn = f'"{rig.root}/burnt" -c "while True: pass" & exec bindfs -f "$0" "$1"'
    record, _ = rig.run(argv=shell(burn), load=fio(rw="write", bs="4k", size="1m", runtime="2s"))
    assert record.status == "ok", record.reason
    assert record.target.cpu_s > 0.3, "a child of the target counts as the target"
    assert not any("burnt" in mark for mark in record.marks)


def test_the_targets_cpu_is_that_of_the_load_alone(rig):
    before = f'"{sys.executable}" -c "sum(range(40000000))"; exec bindfs -f "$0" "$1"'
    record, _ = rig.run(argv=shell(before), load=Load("command", "w", {"argv": ["sleep", "1"]}))
    assert record.status == "ok", record.reason
    assert record.target.cpu_s < 0.1, "what it burnt before the load is not the load's"


def test_a_chatty_target_is_kept_within_its_cap_and_counted(rig):
    chatty = 'yes "a line of a debug log that nobody asked for" | head -c 60000000 & exec bindfs -f "$0" "$1"'
    record, out = rig.run(
        argv=shell(chatty), log_cap_bytes=100_000, load=fio(rw="write", size="1m", runtime="2s")
    )
    assert record.status == "ok", record.reason
    assert record.target.log_bytes == 60_000_000
    assert record.target.log_kept_bytes == 100_000
    assert (out / "target.log").stat().st_size < 101_000
    assert any("target.log: 100000 of 60000000 bytes were kept" in mark for mark in record.marks)


def test_the_write_back_that_is_left_to_the_unmount_is_the_drain(rig):
    slow = 'bindfs -f "$0" "$1"; sleep 0'  # bindfs ends with its mount; the shell after it
    record, _ = rig.run(argv=shell(slow), load=fio(rw="write", bs="1m", size="64m"))
    assert record.status == "ok", record.reason
    assert record.phases.drain_s > 0
    assert record.phases.stop_s >= 0


def test_every_phase_has_its_time(rig):
    started = time.monotonic()
    record, _ = rig.run(load=Load("command", "w", {"argv": ["sleep", "0.5"]}))
    total_s = time.monotonic() - started
    phases = record.phases
    parts = [getattr(phases, name) for name in phases.__dataclass_fields__]
    assert phases.gate_s >= 0.4
    assert phases.load_s >= 0.5
    assert phases.mount_s > 0
    assert sum(parts) <= total_s


def test_one_second_logs_stand_on_the_clock_of_the_wall(rig):
    record, out = rig.run(load=fio(rw="write", bs="64k", size="1m", runtime="3s"))
    assert record.status == "ok", record.reason
    lines = [line.split(",") for line in (out / "fio_bw.log").read_text().splitlines()]
    assert len(lines) >= 2
    for words in lines:
        assert abs(int(words[0]) / 1000 - record.load_started_unix_s) < 60
    assert (out / "fio_lat.log").stat().st_size > 0


def test_verifying_reads_back_from_a_second_mount(rig):
    record, out = rig.run(purpose="verify", load=Load("fio", "verify", {}))
    assert record.status == "ok", record.reason
    assert record.phases.load_s > 1
    assert (out / "target.write.log").exists()
    assert (out / "target.read.log").exists()
    read = json.loads((out / "verify.read.json").read_text())["jobs"]
    assert sum(job["read"]["io_bytes"] for job in read) == 72 << 20


def test_verifying_reads_within_one_mount_where_nothing_survives_it(rig):
    record, out = rig.run(purpose="verify", load=Load("fio", "verify", {}), persists=False)
    assert record.status == "ok", record.reason
    assert not (out / "target.read.log").exists()
    written = json.loads((out / "verify.write.json").read_text())["jobs"]
    assert sum(job["read"]["io_bytes"] for job in written) == 72 << 20, "read back after writing"


@pytest.mark.parametrize("name", ["sequential.0.0", "random.0.0"])
def test_a_filesystem_that_changes_one_byte_between_mounts_is_caught(rig, name):
    flip = (
        f'f="$0/{name}"; test -f "$f" && printf X | dd of="$f" bs=1 seek=300005 conv=notrunc; '
        'exec bindfs -f "$0" "$1"'
    )
    record, _ = rig.run(purpose="verify", load=Load("fio", "verify", {}), argv=shell(flip))
    assert record.status == "failed"
    first, _, rest = record.reason.partition("\n")
    assert first.startswith("what was read back is not what was written")
    assert "verify failed at file" in rest, "fio's own lines"
    assert "bad checksum (fio's error 84)" in first
    assert "`sh -c` ran all of its text again for the remount" in rest


def test_a_filesystem_that_forgets_a_file_between_mounts_is_caught(rig):
    forget = 'rm -f "$0/random.0.0"; exec bindfs -f "$0" "$1"'
    record, _ = rig.run(purpose="verify", load=Load("fio", "verify", {}), argv=shell(forget))
    assert record.status == "failed"


def test_a_mount_that_can_only_be_read_learns_what_to_write_into_its_target(rig):
    argv = ("bindfs", "-f", "-r", "{state}", "{mountpoint}")
    record, _ = rig.run(purpose="verify", load=Load("fio", "verify", {}), argv=argv)
    assert record.status == "failed"
    assert record.reason.startswith("the mount is read-only, and the verifying run writes.")
    assert "read_only: true" in record.reason


def test_a_load_that_fuselab_cannot_read_is_a_run_all_the_same(rig):
    """The unified figures that `check` refuses stand for whatever fio may write that we have not seen."""
    unified = fio(rw="rw", bs="64k", size="4m", unified_rw_reporting="mixed")
    record, out = rig.run(load=unified)
    assert (record.status, record.reason) == ("ok", None)
    [mark] = [mark for mark in record.marks if mark.startswith(reading.UNREAD)]
    assert "a fault of fuselab, not of the target" in mark
    assert json.loads((out / "fio.json").read_text())["jobs"][0]["mixed"]["total_ios"] == 64
    assert reading.metrics("fio", out, record) == []


@pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("perf") is None, reason="needs perf, and root to use it"
)
def test_perf_looks_at_the_target_through_the_walls(rig):
    record, out = rig.run(
        profilers=(ProfilerSupport("perf-oncpu"),), load=fio(rw="write", bs="4k", size="1m", runtime="2s")
    )
    assert record.status == "ok", record.reason
    assert record.profiler == "perf-oncpu"
    said = subprocess.run(
        ["perf", "report", "-i", str(out / "perf-oncpu.data"), "--stdio", "--no-children", "--sort", "comm"],
        capture_output=True, text=True, check=False,
    ).stdout  # fmt: skip
    assert "bindfs" in said
    assert "fio" not in [line.split()[-1] for line in said.splitlines() if "%" in line and "--" not in line]
