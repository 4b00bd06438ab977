"""fio: what is asked of it is in the job file, and what it says becomes metrics or a reason."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from fuselab.workloads import REGISTRY, fio_output
from fuselab.workloads.running import Ended

FIO = REGISTRY["fio"]


def settings(shared: dict[str, str] | None = None, **jobs: dict[str, str]) -> dict[str, object]:
    return {"jobs": jobs, "global": shared or {}}


@pytest.fixture
def output(golden):
    return golden / "fio"


def section(text: str | None, name: str) -> dict[str, str]:
    """Options of one section of a job file."""
    assert text is not None
    block = text.split(f"[{name}]\n")[1].split("\n\n")[0]
    return dict(line.split("=", 1) for line in block.splitlines() if line)


def test_the_job_file_leaves_place_and_seed_to_the_rig():
    shared = section(FIO.render(settings(w={"rw": "write"})), "global")
    assert shared["directory"] == "${FUSELAB_DIRECTORY}"
    assert shared["randseed"] == "${FUSELAB_RANDSEED}"


def test_a_job_runs_in_the_mount_that_it_names():
    text = FIO.render(
        settings({"directory": "{mountpoint2}/a"}, one={"bs": "4k"}, two={"directory": "{mountpoint}"})
    )
    assert section(text, "global")["directory"] == "${FUSELAB_DIRECTORY_2}/a"
    assert "directory" not in section(text, "one")
    assert section(text, "two")["directory"] == "${FUSELAB_DIRECTORY}"


def test_a_runtime_implies_that_it_is_used_up():
    text = FIO.render(settings(a={"runtime": "3s"}, b={"size": "1m"}))
    assert section(text, "a")["time_based"] == "1"
    assert "time_based" not in section(text, "b")


def test_a_runtime_of_all_jobs_does_too():
    assert section(FIO.render(settings({"runtime": "3s"}, a={})), "a")["time_based"] == "1"


def test_who_says_otherwise_is_heeded():
    assert section(FIO.render(settings(a={"runtime": "3s", "time_based": "0"})), "a")["time_based"] == "0"
    assert "time_based" not in section(FIO.render(settings({"time_based": "0"}, a={"runtime": "3s"})), "a")
    assert section(FIO.render(settings({"randrepeat": "1"}, a={})), "global")["randrepeat"] == "1"


@pytest.mark.skipif(shutil.which("fio") is None, reason="fio is not installed")
def test_fio_takes_the_job_file(tmp_path):
    job = tmp_path / "job.fio"
    text = FIO.render(settings({"size": "1m"}, a={"rw": "write", "runtime": "1s"}, b={"rw": "randread"}))
    job.write_text(text or "")
    env = {**os.environ, "FUSELAB_DIRECTORY": str(tmp_path), "FUSELAB_RANDSEED": "3"}
    done = subprocess.run(
        ["fio", "--parse-only", str(job)], capture_output=True, text=True, check=False, env=env, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("options", "closed"), [({}, True), ({"rate_iops": "500"}, False), ({"rate": "10m"}, False)]
)
def test_a_load_is_closed_loop_unless_it_has_a_rate(options, closed):
    assert FIO.closed_loop(settings(a={"rw": "write", **options})) is closed


@pytest.mark.parametrize("job", ["mixed", "stages"])
def test_the_announced_metrics_are_those_that_come(output, job):
    modes = {"mixed": ("write", "randread"), "stages": ("write", "write", "read")}[job]
    announced = set(FIO.metric_names(settings(**{str(i): {"rw": mode} for i, mode in enumerate(modes)})))
    found = {m.name for m in fio_output.metrics(fio_output.read(output / f"{job}.json"))}
    assert found <= announced
    assert {"write.bw", "read.bw", "write.lat_mean"} <= found


def test_figures_are_fios_own_where_it_reports_one_group(output):
    said = json.loads((output / "mixed.json").read_text())["jobs"][0]
    found = {m.name: m for m in fio_output.metrics(fio_output.read(output / "mixed.json"))}
    for direction in ("read", "write"):
        assert found[f"{direction}.bw"].value == pytest.approx(said[direction]["bw_bytes"], abs=1)
        assert found[f"{direction}.iops"].value == pytest.approx(said[direction]["iops"])
        assert found[f"{direction}.lat_mean"].value == pytest.approx(said[direction]["lat_ns"]["mean"])
        assert found[f"{direction}.p99"].value == said[direction]["lat_ns"]["percentile"]["99.000000"]
    assert found["write.p99"].tail_ios == int(said["write"]["total_ios"] / 100)
    assert found["read.p999"].tail_ios == 1, "1024 reads: one lies beyond p99.9"
    assert found["write.bw"].tail_ios is None


def test_stages_one_after_the_other_add_up_in_time(output):
    first, second, _ = json.loads((output / "stages.json").read_text())["jobs"]
    found = {m.name: m.value for m in fio_output.metrics(fio_output.read(output / "stages.json"))}
    runtime_s = (first["write"]["runtime"] + second["write"]["runtime"]) / 1000
    assert found["write.bw"] == pytest.approx(16 * 2**20 / runtime_s)
    slower, faster = sorted(job["write"]["bw_bytes"] for job in (first, second))
    assert slower < found["write.bw"] < faster
    assert "write.p99" not in found, "percentiles of two groups cannot be added up"
    assert "read.p99" in found


def test_drained_bandwidth_counts_the_time_of_the_unmount(output):
    directions = fio_output.read(output / "mixed.json")
    (drained,) = fio_output.drained(directions, 1.0)
    group = directions["write"][0]
    assert drained.name == "write.drained_bw"
    assert drained.value == pytest.approx(group.bytes / (group.runtime_s + 1))
    assert fio_output.drained({"read": directions["read"]}, 1.0) == []


def test_traffic_is_what_profiles_are_divided_by(output):
    traffic = fio_output.traffic(fio_output.read(output / "stages.json"))
    assert traffic.by_direction == {"write": (256, 16 << 20), "read": (128, 8 << 20)}
    assert (traffic.operations, traffic.bytes) == (384, 24 << 20)
    assert traffic.latency_ns["write"] > 0


def reason(output: Path, ended: Ended, timeout_s: float | None = None) -> str:
    """Of a failure: there must be one, and an exit code that is not 0."""
    result = fio_output.result(output, ended, timeout_s)
    assert result.exit_code != 0
    assert result.reason is not None
    return result.reason


def test_a_full_filesystem_is_named(output):
    said = reason(output / "enospc.json", Ended(1, False, "fio: io_u error on file f"))
    assert "j: No space left on device (error 28)" in said
    assert "io_u error on file f" in said


def test_an_interrupted_fio_has_failed_though_its_figures_read_well(output):
    assert fio_output.metrics(fio_output.read(output / "interrupted.json")), "text before the JSON is skipped"
    assert "interrupted" in reason(output / "interrupted.json", Ended(128, False, ""))


def test_a_fio_that_wrote_nothing_is_quoted(tmp_path):
    empty = tmp_path / "fio.json"
    empty.write_text("fio: failed parsing rw=wirte\n")
    said = reason(empty, Ended(1, False, ""))
    assert "exit code 1" in said
    assert "failed parsing rw=wirte" in said


def test_a_fio_that_did_its_work_has_no_reason(output):
    result = fio_output.result(output / "mixed.json", Ended(0, False, ""))
    assert (result.exit_code, result.reason) == (0, None)


def test_a_timeout_says_how_long_it_was(output):
    assert "did not end within 7 s" in reason(output / "mixed.json", Ended(-9, True, ""), 7.0)
