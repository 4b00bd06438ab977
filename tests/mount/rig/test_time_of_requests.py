"""Where requests were while they were in flight, of programs without a span, against what their own clocks counted."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
from tests.conftest import CHECKOUT

from fuselab.analysis.account.in_flight import OfOpcode
from fuselab.building.build import make_build
from fuselab.building.request import build_request
from fuselab.experiment.model import Variant
from fuselab.profilers import REGISTRY
from fuselab.profilers.capture import CaptureFolder
from fuselab.profilers.fuse_requests import IN_FLIGHT
from fuselab.profilers.processing import process_captures
from fuselab.profilers.serving import read_rows
from fuselab.records.request import Load
from fuselab.targets.loading import load_target
from fuselab.targets.model import ProfilerSupport

pytestmark = pytest.mark.mount

TOGETHER = tuple(map(ProfilerSupport, ("fuse-requests", "perf-offcpu", "perf-oncpu")))
WITHIN = 0.05


def writes(count: int, **options: str) -> Load:
    """So many writes of each job, one after the other."""
    size = {"rw": "write", "bs": "64k", "size": f"{count * 64}k", "direct": "1"}
    return Load("fio", "w", {"jobs": {"job": {**size, **options}}, "global": {}}, randseed=1)


def looked_at(rig, argv: tuple[str, ...], binary: Path, load: Load) -> tuple[dict[str, OfOpcode], Path]:
    """(opcode -> its row, folder) of one run that all look at."""
    record, out = rig.run(argv=argv, binary=str(binary), load=load, profilers=TOGETHER)
    assert record.status == "ok", record.reason
    processed = out / "processed"
    processed.mkdir()
    profile = process_captures(REGISTRY["fuse-requests"], [CaptureFolder(out, 1, binary, 0, 0)], processed)
    assert profile.has_picture, profile.notes
    assert profile.figures["lost_records"] == 0
    return {row.opcode: row for row in read_rows(processed / IN_FLIGHT)}, out


def planted(out: Path) -> dict[str, int]:
    """What the program's own clocks counted."""
    said = "".join(path.read_text() for path in out.glob("target*.log"))
    return {name: int(ns) for name, ns in re.findall(r"(\w+_ns)=(\d+)", said)}


def is_cpu_time(seen_ns: int, cpu_ns: float, out: Path) -> bool:
    """As a scheduler can tell it: what the hypervisor takes from a thread that runs only ever adds to it."""
    run = json.loads((out / "run.json").read_text())
    begun, ended = run["load_window_s"]
    stolen_s = (run["environment"]["steal_share"] or 0.0) * run["environment"]["cpus"] * (ended - begun)
    return bool((1 - WITHIN) * cpu_ns <= seen_ns <= (1 + WITHIN) * cpu_ns + stolen_s * 1e9)


def stacks(out: Path, *frames: str) -> int:
    """ns of the stacks that have all these frames."""
    lines = (out / "processed/folded.txt").read_text().splitlines()
    return sum(int(line.rpartition(" ")[2]) for line in lines if all(frame in line for frame in frames))


def latency_ns(out: Path) -> float:
    """Of all writes together, as fio has it."""
    jobs = json.loads((out / "fio.json").read_text())["jobs"]
    return float(sum(job["write"]["lat_ns"]["mean"] * job["write"]["total_ios"] for job in jobs))


def adds_up(row: OfOpcode) -> bool:
    parts = row.queued_ns + row.oncpu_ns + row.blocked_ns + row.preempted_ns + row.awaiting_ns
    return parts == pytest.approx(row.in_flight_ns, rel=1e-4)


@pytest.fixture(scope="module")
def plainfs_rs() -> Path:
    """The filesystem on `fuser` of tests/programs/plainfs-rs, compiled once for all: without libfuse."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    target = cache / "fuselab" / "tests" / "plainfs-rs"
    environment = {
        **os.environ,
        "CARGO_TARGET_DIR": str(target),
        "RUSTFLAGS": "-C force-frame-pointers=yes",
    }
    subprocess.run(
        ["cargo", "build", "--release", "--locked"],
        cwd=CHECKOUT / "tests" / "programs" / "plainfs-rs", env=environment, check=True, capture_output=True,
    )  # fmt: skip
    return target / "release" / "plainfs-rs"


@pytest.fixture(scope="module")
def demofs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As timed runs have it, without a span."""
    spec = build_request(load_target("demofs", CHECKOUT), Variant("baseline", "demofs", "sqlite"))
    assert spec is not None
    folder = tmp_path_factory.mktemp("demofs")
    return folder / make_build(spec, load_target("demofs", CHECKOUT).build, folder).binary


LATER = ("--later-us=40000",)
COSTS = ("--lock-us=20000", "--cpu-us=12000")


def found_where_it_was_planted(rows: dict[str, OfOpcode], out: Path, one_thread: bool) -> None:
    """12 writes of each of three jobs, under COSTS."""
    row, truth = rows["WRITE"], planted(out)
    assert row.requests == row.alone == row.by_request == 36
    assert adds_up(row)
    assert row.awaiting_ns == 0
    assert row.blocked_ns == pytest.approx(truth["asleep_ns"] + truth["lock_ns"], rel=WITHIN)
    assert is_cpu_time(row.oncpu_ns, truth["cpu_ns"], out)
    assert stacks(out, "WRITE;", "keep_lock;", "[blocked]") == pytest.approx(truth["asleep_ns"], rel=WITHIN)
    assert is_cpu_time(stacks(out, "WRITE;", "use_cpu", "[on CPU]"), truth["cpu_ns"], out)
    if one_thread:
        served_ns = truth["asleep_ns"] + truth["lock_ns"] + truth["cpu_ns"] + row.preempted_ns
        assert row.queued_ns == pytest.approx(latency_ns(out) - served_ns, rel=WITHIN)
        assert truth["lock_ns"] < 0.01 * truth["asleep_ns"], "nobody else asks for it"
    else:
        assert truth["lock_ns"] > 0.05 * truth["asleep_ns"]
        behind = stacks(out, "WRITE;", "wait_for_lock;", "[blocked]")
        assert behind == pytest.approx(truth["lock_ns"], rel=WITHIN)


@pytest.mark.parametrize("threads", [(), ("-s",)], ids=["threads", "one thread"])
def test_libfuse_sleeps_uses_cpu_waits_for_a_lock_and_lets_requests_queue(
    rig, plainfs: Path, threads
) -> None:
    argv = (str(plainfs), "{state}", *COSTS, "{mountpoint}", "-f", *threads)
    rows, out = looked_at(rig, argv, plainfs, writes(12, numjobs="3"))
    found_where_it_was_planted(rows, out, one_thread=bool(threads))


@pytest.mark.slow
@pytest.mark.parametrize("threads", [3, 1])
def test_fuser_sleeps_uses_cpu_waits_for_a_lock_and_lets_requests_queue(
    rig, plainfs_rs: Path, threads
) -> None:
    argv = (str(plainfs_rs), "{mountpoint}", *COSTS, f"--threads={threads}")
    rows, out = looked_at(rig, argv, plainfs_rs, writes(12, numjobs="3"))
    found_where_it_was_planted(rows, out, one_thread=threads == 1)


def test_nobody_runs_for_a_request_that_libfuse_answers_later(rig, plainfs: Path) -> None:
    nobody_runs(
        *looked_at(
            rig, (str(plainfs), "{state}", *LATER, "{mountpoint}", "-f"), plainfs, writes(12, numjobs="3")
        )
    )


@pytest.mark.slow
def test_nobody_runs_for_a_request_that_fuser_answers_later(rig, plainfs_rs: Path) -> None:
    argv = (str(plainfs_rs), "{mountpoint}", *LATER, "--threads=2")
    nobody_runs(*looked_at(rig, argv, plainfs_rs, writes(12, numjobs="3")))


def nobody_runs(rows: dict[str, OfOpcode], out: Path) -> None:
    """The thread that will answer sleeps meanwhile, for all requests: it is blocked, and none of them is."""
    row = rows["WRITE"]
    assert (row.requests, row.alone, row.by_request) == (36, 0, 0)
    assert adds_up(row)
    assert row.awaiting_ns == pytest.approx(planted(out)["later_ns"], rel=WITHIN)
    assert stacks(out, "WRITE;served;[nobody runs for it]") == row.awaiting_ns


@pytest.mark.slow
@pytest.mark.parametrize(("knob", "where"), [("extend-wait", "awaiting_ns"), ("block", "blocked_ns")])
def test_a_wait_of_a_task_is_told_from_a_blocked_worker(rig, demofs: Path, knob, where) -> None:
    """On tokio: who awaits gives its thread to others, or parks it."""
    command = (str(demofs), "mount", "{mountpoint}", "--state", "{state}/demofs", "--meta-backend", "memory")
    rows, _ = looked_at(rig, (*command, "--inject", f"{knob}=100ms"), demofs, writes(8, numjobs="2"))
    row = rows["WRITE"]
    assert row.requests == 16
    assert adds_up(row)
    assert getattr(row, where) == pytest.approx(16 * 100e6, rel=WITHIN)


@pytest.mark.slow
def test_cpu_time_of_tasks_is_all_there(rig, demofs: Path) -> None:
    command = (str(demofs), "mount", "{mountpoint}", "--state", "{state}/demofs", "--meta-backend", "memory")
    rows, out = looked_at(rig, (*command, "--inject", "copy-cpu=20ms"), demofs, writes(12, numjobs="2"))
    counted_ns = json.loads((out / "run.json").read_text())["target"]["cpu_s"] * 1e9
    assert is_cpu_time(sum(row.oncpu_ns for row in rows.values()), counted_ns, out)
    assert rows["WRITE"].oncpu_ns > 0.9 * counted_ns
