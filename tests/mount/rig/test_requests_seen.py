"""fuse-requests sees every request of a stranger's filesystem, for as long as it took, and no other's."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from tests.mount.rig.test_perf_sees import looked_at
from tests.mount.rig.test_time_of_requests import WITHIN, planted

from fuselab.analysis.ftrace import read_trace
from fuselab.files import read_json
from fuselab.profilers import REGISTRY
from fuselab.profilers.capture import CaptureFolder
from fuselab.profilers.fuse_requests import CONNECTIONS
from fuselab.profilers.processing import process_captures
from fuselab.profilers.trace_session import traced
from fuselab.records.profile import Profile
from fuselab.records.request import Load
from fuselab.system.kernel import Connection
from fuselab.system.tracefs import SEND
from fuselab.targets.model import ProfilerSupport
from fuselab.words import duration
from fuselab.workloads import REGISTRY as LOADS

pytestmark = pytest.mark.mount

SLEEP_US, WRITES = 40_000, 32
"""Long, because others have the processor when a sleep ends."""


def writes(bs: str = "64k", mib: int = 2, **options: str) -> Load:
    whole = {"rw": "write", "bs": bs, "size": f"{mib}m", "direct": "1", **options}
    return Load("fio", "w", {"jobs": {"job": whole}, "global": {}}, randseed=1)


def test_a_planted_wait_is_the_time_in_which_writes_are_served(rig, plainfs: Path) -> None:
    argv = (str(plainfs), "{state}", f"--sleep-us={SLEEP_US}", "{mountpoint}", "-f")
    _, out, profile = looked_at(rig, "fuse-requests", argv, plainfs, writes())
    assert profile.status == "ok", profile.notes
    rows = opcodes(out)
    assert rows["WRITE"]["requests"] == WRITES
    served_ns = rows["WRITE"]["in_flight_ns"] - rows["WRITE"]["queued_ns"]
    assert planted(out)["asleep_ns"] >= WRITES * SLEEP_US * 1000
    assert served_ns == pytest.approx(planted(out)["asleep_ns"], rel=WITHIN)
    folded = dict(line.rsplit(" ", 1) for line in (out / "processed/folded.txt").read_text().splitlines())
    assert int(folded["WRITE;served"]) == served_ns
    assert "WRITE;in flight" not in folded
    assert (
        "Never more than 1 request is in flight: the load waits for each before it asks the next."
        in profile.findings
    )


def test_every_request_is_there_once_as_perf_itself_counts_them(rig, plainfs: Path, tmp_path: Path) -> None:
    argv = (str(plainfs), "{state}", "{mountpoint}", "-f")
    with perf_beside(tmp_path / "perf.data"):
        _, out, profile = looked_at(rig, "fuse-requests", argv, plainfs, writes("4k", numjobs="2"))
    sent = Counter(line.split("FUSE_")[1].split(")")[0] for line in perfs_lines(tmp_path / "perf.data", out))
    table = pq.read_table(out / "processed/requests.001.parquet").to_pylist()
    assert Counter(row["opcode"] for row in table) == sent
    assert sent["WRITE"] == 2 * 512  # 2 MiB for each job
    assert profile.figures["lost_records"] == 0
    assert profile.figures["picked_share"] == 1
    assert {row["sender"] for row in table} == {"load"}


def test_what_fio_needs_before_it_begins_is_not_looked_at(rig, plainfs: Path) -> None:
    argv = (str(plainfs), "{state}", "{mountpoint}", "-f")
    files = {"nrfiles": "20", "file_service_type": "sequential", "openfiles": "1"}
    _, out, _ = looked_at(rig, "fuse-requests", argv, plainfs, writes("64k", 5, rw="read", **files))
    rows = opcodes(out)
    assert not rows.keys() & {"WRITE", "CREATE"}, "what it reads was laid out before"
    assert rows["READ"]["requests"] == 80
    _, out, _ = looked_at(rig, "fuse-requests", argv, plainfs, writes("64k", 5, **files))
    rows = opcodes(out)
    assert rows["WRITE"]["requests"] == 80
    assert "CREATE" not in rows, "each file was looked up and made before the first I/O"
    assert not list(out.glob("*.prerun.txt"))


def test_errors_are_counted_by_their_names(rig, plainfs: Path) -> None:
    argv = (str(plainfs), "{state}", "{mountpoint}", "-f")
    makes = {
        "rw": "write",
        "ioengine": "filecreate",
        "create_on_open": "1",
        "nrfiles": "20",
        "filesize": "4k",
    }
    load = Load("fio", "w", {"jobs": {"job": makes}, "global": {}}, randseed=1)
    _, out, _ = looked_at(rig, "fuse-requests", argv, plainfs, load)
    code, count = opcodes(out)["LOOKUP"]["errors"].split()
    assert code == "ENOENT"  # of each file, before it is made
    assert 0 < int(count) <= opcodes(out)["LOOKUP"]["requests"]


def test_a_write_that_the_kernel_splits_is_said(rig, plainfs: Path) -> None:
    argv = (str(plainfs), "{state}", "{mountpoint}", "-f")
    _, out, _ = looked_at(rig, "fuse-requests", argv, plainfs, writes("4m", 16))
    requests = opcodes(out)["WRITE"]["requests"]
    profile = judged(out, plainfs)
    assert requests > 4
    of_each = f"{requests / 4:.1f}".removesuffix(".0")
    assert (
        f"Every 4096 KiB write becomes {of_each} requests of {(16 << 10) / requests:.4g} KiB."
        in profile.findings
    )


def test_where_one_write_is_one_request_both_count_and_time_it_alike(rig, plainfs: Path) -> None:
    argv = (str(plainfs), "{state}", f"--sleep-us={SLEEP_US}", "{mountpoint}", "-f")
    _, out, _ = looked_at(rig, "fuse-requests", argv, plainfs, writes())
    (job,) = json.loads((out / "fio.json").read_text())["jobs"]
    assert opcodes(out)["WRITE"]["requests"] == job["write"]["total_ios"] == WRITES
    flown_ns = opcodes(out)["WRITE"]["in_flight_ns"] / WRITES
    seen_ns = job["write"]["lat_ns"]["mean"]
    assert flown_ns == pytest.approx(seen_ns, rel=WITHIN)
    assert flown_ns < seen_ns
    (said,) = [text for text in judged(out, plainfs).findings if "as the load sees it" in text]
    assert said == (
        f"A write takes {duration(seen_ns / 1e9)} as the load sees it, and its WRITE is in flight for "
        f"{duration(flown_ns / 1e9)} of that (means): {duration((seen_ns - flown_ns) / 1e9)} "
        f"({(seen_ns - flown_ns) / seen_ns:.0%}) lie before and behind the request."
    )


@pytest.mark.alone
def test_what_max_background_holds_up_is_said(rig, plainfs: Path) -> None:
    argv = (str(plainfs), "{state}", "--sleep-us=2000", "--max-background=4", "{mountpoint}", "-f")
    # Four times what fio lays out beforehand, one write after the other: so most of the time 4 are in flight.
    over = {"rw": "randwrite", "overwrite": "1", "ioengine": "libaio", "iodepth": "32", "io_size": "8m"}
    _, out, _ = looked_at(rig, "fuse-requests", argv, plainfs, writes("4k", 2, **over))
    (said,) = [text for text in judged(out, plainfs).findings if "max_background" in text]
    assert said.startswith("4 in flight is all that `max_background` lets through")


@pytest.mark.parametrize("engine", ["io_uring", "splice"])
def test_loads_by_other_ways_than_a_system_call_for_each_are_seen_alike(
    rig, plainfs: Path, engine: str
) -> None:
    argv = (str(plainfs), "{state}", "{mountpoint}", "-f")
    direct = "0" if engine == "splice" else "1"
    load = writes(ioengine=engine, direct=direct, end_fsync="1")
    _, out, profile = looked_at(rig, "fuse-requests", argv, plainfs, load)
    (job,) = json.loads((out / "fio.json").read_text())["jobs"]
    assert job["write"]["total_ios"] == WRITES
    assert opcodes(out)["WRITE"]["asked_bytes"] == (2 << 20) + 80 * opcodes(out)["WRITE"]["requests"]
    assert profile.figures["picked_share"] == 1
    assert profile.status == "ok", profile.notes


def test_a_filesystem_that_splices_its_requests_is_seen_alike(rig, plainfs: Path) -> None:
    argv = (str(plainfs), "{state}", "--splice=1", "{mountpoint}", "-f")
    _, out, profile = looked_at(rig, "fuse-requests", argv, plainfs, writes())
    pages, record = traced(CaptureFolder(out, 1, plainfs, 0, 0), "fuse-requests")
    spliced = read_trace(pages, record.formats).samples["sys_exit_splice"]
    assert sum(spliced["ret"] >= 64 << 10) >= WRITES
    assert opcodes(out)["WRITE"]["requests"] == WRITES
    assert profile.figures["picked_share"] == 1


def test_both_of_two_mounts_are_seen_and_told_apart(rig, plainfs: Path) -> None:
    argv = (str(plainfs), "{state}", "{mountpoint}", "-f")
    whole = {"rw": "write", "bs": "64k", "size": "2m", "direct": "1"}
    jobs = {
        "one": {**whole, "directory": "{mountpoint}"},
        "two": {**whole, "directory": "{mountpoint2}", "bs": "32k"},
    }
    record, out = rig.run(
        argv=argv, binary=str(plainfs), load=Load("fio", "w", {"jobs": jobs, "global": {}}, randseed=1), mounts=2,
        profilers=(ProfilerSupport("fuse-requests"),),
    )  # fmt: skip
    assert record.status == "ok", record.reason
    profile = judged(out, plainfs)
    table = pq.read_table(out / "again/requests.001.parquet").to_pylist()
    by_mount = Counter(row["connection"] for row in table if row["opcode"] == "WRITE")
    assert sorted(by_mount.values()) == [WRITES, 2 * WRITES]
    assert profile.figures["picked_share"] == 1


@pytest.mark.parametrize("group", [True, False], ids=["group", "no group"])
def test_what_others_read_is_not_taken_for_a_request_that_was_picked_up(
    rig, plainfs: Path, monkeypatch: pytest.MonkeyPatch, group: bool
) -> None:
    """One thread serves two jobs: one request waits while the other is served, whatever else is read meanwhile."""
    if not group:
        monkeypatch.setattr("fuselab.rig.run.new_group", nullcontext)
    argv = (str(plainfs), "{state}", "--sleep-us=10000", "{mountpoint}", "-f", "-s")
    with somebody_who_reads((64 << 10) + 80):
        _, out, profile = looked_at(rig, "fuse-requests", argv, plainfs, writes(numjobs="2"))
    row = opcodes(out)["WRITE"]
    assert row["requests"] == 2 * WRITES
    assert profile.figures["picked_share"] == 1
    served_ns = row["in_flight_ns"] - row["queued_ns"]
    assert row["queued_ns"] > 0.7 * served_ns


@contextmanager
def somebody_who_reads(size: int) -> Iterator[None]:
    """A neighbour on the machine whose every read brings just so many bytes."""
    argv = ["dd", "if=/dev/zero", "of=/dev/null", f"bs={size}", "status=none"]
    with subprocess.Popen(argv) as child:
        yield
        child.kill()


@contextmanager
def perf_beside(data: Path) -> Iterator[None]:
    """perf looks at every request of the machine meanwhile."""
    argv = ["perf", "record", "-a", "-k", "CLOCK_MONOTONIC", "-e", f"fuse:{SEND}", "-o", str(data)]
    with subprocess.Popen(argv, stderr=subprocess.DEVNULL) as child:
        while not data.exists() or not data.stat().st_size:
            time.sleep(0.05)
        time.sleep(0.5)
        yield
        child.send_signal(signal.SIGINT)


def perfs_lines(data: Path, out: Path) -> list[str]:
    """What perf says of the run's mount within the load."""
    script = ["perf", "script", "-f", "-i", str(data), "--ns", "-F", "time,trace"]
    said = subprocess.run(script, check=True, capture_output=True, text=True).stdout
    window_s = CaptureFolder(out, 1, Path(), 0, 0).run.load_window_s
    (mine,) = read_json(out / CONNECTIONS, list[Connection])
    assert window_s is not None
    lines = [line.strip().split(": ", 1) for line in said.splitlines()]
    return [
        trace
        for at_s, trace in lines
        if trace.split()[1] == str(mine.number) and window_s[0] <= float(at_s) <= window_s[1]
    ]


def judged(out: Path, binary: Path) -> Profile:
    """The capture once more, by what the load counted itself, as the rule for processing has it."""
    again = out / "again"
    again.mkdir()
    did = LOADS["fio"].traffic(out)
    capture = CaptureFolder(
        out,
        1,
        binary,
        did.operations,
        did.bytes,
        did.transfers,
        moved=did.by_direction,
        latency_ns=did.latency_ns,
    )
    return process_captures(REGISTRY["fuse-requests"], [capture], again)


def opcodes(out: Path) -> dict[str, dict[str, Any]]:
    return {row["opcode"]: row for row in pq.read_table(out / "processed/table.parquet").to_pylist()}
