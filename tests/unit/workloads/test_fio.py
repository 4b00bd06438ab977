"""fio: what is asked of it is in the job file, and what it says becomes metrics or a reason."""

from __future__ import annotations

import errno
import json
import math
import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.records.made_up import run_record

from fuselab.experiment.checks import TARGET_METRICS
from fuselab.files import read_json, write_json
from fuselab.records.request import Load
from fuselab.records.run import RunRecord
from fuselab.workloads import REGISTRY, reading
from fuselab.workloads.base import LoadContext
from fuselab.workloads.fio import fio_json, logs
from fuselab.workloads.running import Ended
from fuselab.workloads.verifying import VERIFIERS

FIO = REGISTRY["fio"]
NOTHING_DONE = "fio ended without a single I/O: is its runtime shorter than its ramp_time?"


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
    ("options", "closed"),
    [
        ({}, True),
        ({"rate_iops": "500"}, True),
        ({"rate": "10m", "rate_process": "poisson"}, True),
        ({"rate_iops": "500", "rate_process": "poisson"}, True),
        ({"rate_iops": "500", "rate_process": "poisson", "iodepth": "8"}, True),
        ({"rate_iops": "500", "rate_process": "poisson", "iodepth": "8", "ioengine": "libaio"}, False),
        ({"rate_iops": "500", "rate_process": "poisson", "numjobs": "8"}, False),
    ],
)
def test_a_load_is_closed_loop_unless_requests_arrive_by_chance_and_side_by_side(options, closed):
    assert FIO.closed_loop(settings(a={"rw": "write", **options})) is closed
    assert FIO.closed_loop(settings(options, a={"rw": "write"})) is closed


def test_one_job_without_a_rate_closes_the_loop():
    rate = {"rate_iops": "500", "rate_process": "poisson", "numjobs": "2"}
    assert FIO.closed_loop(settings(a={"rw": "write", **rate}, b={"rw": "read"}))
    assert not FIO.closed_loop(settings(a=rate, b={**rate, "rw": "read"}))


@pytest.mark.parametrize(
    ("jobs", "asked"),
    [
        ({"a": {"rw": "randwrite:8", "rate_iops": "500"}}, {"write.iops": 500}),
        ({"a": {"rw": "write", "rate_iops": "1k,200", "numjobs": "2"}}, {"write.iops": 400}),
        ({"a": {"rate": "8m"}, "b": {"rw": "randread", "rate": "8m"}}, {"read.bw": 16 << 20}),
        ({"a": {"rw": "write", "rate_iops": "500"}, "b": {"rw": "write"}}, {}),
        ({"a": {"rw": "randrw", "rate_iops": "500"}}, {}),
        ({"a": {"rw": "write", "rate_iops": "${RATE}"}}, {}),
        ({"a": {"rw": "write"}}, {}),
    ],
)
def test_what_a_fixed_rate_asks_for_is_known_where_one_figure_says_it(jobs, asked):
    assert FIO.fixed_rates(settings(**jobs)) == asked


def test_a_tenth_of_the_runtime_is_a_ramp_that_does_not_count():
    text = FIO.render(settings({"runtime": "3s"}, a={}, b={"runtime": "10m"}, c={"ramp_time": "2s"}))
    assert section(text, "a")["ramp_time"] == "300ms"
    assert section(text, "b")["ramp_time"] == "5000ms"
    assert section(text, "c")["ramp_time"] == "2s"
    assert section(FIO.render(settings(a={"runtime": "3"})), "a")["ramp_time"] == "300ms"


@pytest.mark.skipif(shutil.which("fio") is None, reason="fio is not installed")
def test_a_load_begins_once_when_its_files_are_there_and_nothing_has_been_done_to_them(tmp_path):
    files, begun = tmp_path / "files", []
    files.mkdir()

    def begin():
        begun.append({path.name: path.stat() for path in files.iterdir()})

    context = LoadContext(files, (files,), tmp_path, tmp_path, tmp_path, Path(), begin=begin)
    reads = {"rw": "randread", "size": "1m", "numjobs": "2"}
    stages = settings(
        r=reads, w={"rw": "write", "size": "1m"}, b={"rw": "read", "size": "1m", "stonewall": "1"}
    )
    load = Load("fio", "w", stages, randseed=1)
    assert FIO.lays_out(stages)
    assert FIO.lay_out(load, context).reason is None
    laid_out = {path.name: path.stat() for path in files.iterdir()}
    assert laid_out.keys() == {"r.0.0", "r.1.0", "b.0.0"}, "what only writes makes its own"
    assert not begun
    assert FIO.run(load, context).reason is None
    (seen,) = begun
    assert seen.keys() == {*laid_out, "w.0.0"}
    assert {name: (seen[name].st_ino, seen[name].st_mtime_ns) for name in laid_out} == {
        name: (stat.st_ino, stat.st_mtime_ns) for name, stat in laid_out.items()
    }, "they are not made twice"
    assert seen["w.0.0"].st_mtime_ns < (files / "w.0.0").stat().st_mtime_ns
    assert not list(tmp_path.glob("*.prerun.txt"))


def test_a_load_that_finds_nothing_lays_out_nothing():
    assert not FIO.lays_out(settings(a={"rw": "randwrite", "size": "1m"}))
    assert FIO.lays_out(settings(a={"rw": "randwrite", "size": "1m", "overwrite": "1"}))
    assert FIO.lays_out(settings({"rw": "randrw"}, a={"size": "1m"}))


def test_a_load_that_ends_with_its_size_is_measured_whole():
    for options in ({"size": "1m"}, {"runtime": "3s", "time_based": "0"}):
        assert "ramp_time" not in section(FIO.render(settings(a=options)), "a")


def test_a_load_under_a_profiler_has_no_ramp(tmp_path, monkeypatch):
    """What the profiler saw is divided by what fio counted: both must be the whole load."""
    monkeypatch.setattr("fuselab.workloads.fio.rendering.run_fio", lambda *_: Ended(0, False, ""))
    options = {"runtime": "3s", "ramp_time": "1s"}
    for ramp in (True, False):
        context = LoadContext(tmp_path, (tmp_path,), tmp_path, tmp_path, tmp_path, Path(), ramp=ramp)
        FIO.run(Load("fio", "w", settings({"ramp_time": "2s"}, a=options, b={"runtime": "1s"})), context)
        text = (tmp_path / "load.fio").read_text()
        assert section(text, "a")["ramp_time"] == ("1s" if ramp else "0")
        assert section(text, "b").get("ramp_time") == (None if ramp else "0")


@pytest.mark.parametrize(
    ("runtime", "step"), [("3s", "300"), ("500ms", "50"), ("100ms", "50"), ("2m", "1000"), (None, "1000")]
)
def test_logs_have_a_point_each_second_or_ten_in_all(runtime, step):
    shared = section(FIO.render(settings(a={"runtime": runtime} if runtime else {})), "global")
    assert (shared["log_avg_msec"], shared["bwavgtime"]) == (step, step)


@pytest.mark.parametrize("job", ["mixed", "stages"])
def test_the_announced_metrics_are_those_that_come(output, job):
    modes = {"mixed": ("write", "randread"), "stages": ("write", "write", "read")}[job]
    announced = set(FIO.metric_names(settings(**{str(i): {"rw": mode} for i, mode in enumerate(modes)})))
    found = {m.name for m in fio_json.metrics(fio_json.read(output / f"{job}.json"))}
    assert found <= announced
    assert {"write.bw", "read.bw", "write.lat_mean"} <= found


def test_figures_are_fios_own_where_it_reports_one_group(output):
    said = json.loads((output / "mixed.json").read_text())["jobs"][0]
    found = {m.name: m for m in fio_json.metrics(fio_json.read(output / "mixed.json"))}
    for direction in ("read", "write"):
        assert found[f"{direction}.bw"].value == pytest.approx(said[direction]["bw_bytes"], abs=1)
        assert found[f"{direction}.iops"].value == pytest.approx(said[direction]["iops"])
        assert found[f"{direction}.lat_mean"].value == pytest.approx(said[direction]["lat_ns"]["mean"])
        assert found[f"{direction}.p99"].value == said[direction]["lat_ns"]["percentile"]["99.000000"]
    assert found["write.p99"].tail_ios == int(said["write"]["total_ios"] / 100)
    assert found["read.p999"].tail_ios == 1, "1024 reads: one lies beyond p99.9"
    assert found["write.bw"].tail_ios is None


def test_of_names_there_are_operations_alone(output):
    """fio counts a block of 4 KiB for each file that it only makes or looks up, and calls the latency 0."""
    said = {job["jobname"]: job for job in json.loads((output / "names.json").read_text())["jobs"]}
    assert said["look"]["read"]["bw_bytes"] > 0 == said["look"]["read"]["lat_ns"]["mean"]
    directions = fio_json.read(output / "names.json")
    found = {m.name: m.value for m in fio_json.metrics(directions)}
    # 256 more writes of data are of the same direction: their bandwidth is not that of all.
    assert found.keys() == {"write.iops", "read.iops"}
    assert found["read.iops"] == pytest.approx(50 / (said["look"]["read"]["runtime"] / 1000))
    assert fio_json.drained(directions, 1.0) == []
    traffic = fio_json.traffic(directions)
    assert (traffic.operations, traffic.bytes) == (200 + 50 + 256, 1 << 20)
    assert traffic.by_direction == {"write": (256, 1 << 20)}
    assert traffic.latency_ns.keys() == {"write"}
    curves = fio_json.shown(output / "names.json").percentiles
    assert curves.keys() == {"write"}
    assert max(percentile for percentile, _ in curves["write"]) == 95, "of 256 writes ten lie beyond"
    assert fio_json.shown(output / "names.json").moving_data == {"trim"}


@pytest.mark.parametrize("engine", ["filecreate", "filestat", "filedelete"])
def test_the_rate_of_names_decides_and_no_bandwidth_is_announced(engine):
    load = settings({"ioengine": engine}, names={"rw": "read"})
    assert FIO.metric_names(load) == FIO.primary(load) == ["read.iops"]
    beside = settings(names={"rw": "read", "ioengine": engine}, data={"rw": "write"})
    assert FIO.primary(beside) == ["write.bw", "read.iops"]
    assert not FIO.yields(beside, "read.p99")


def test_stages_one_after_the_other_add_up_in_time(output):
    first, second, _ = json.loads((output / "stages.json").read_text())["jobs"]
    found = {m.name: m.value for m in fio_json.metrics(fio_json.read(output / "stages.json"))}
    runtime_s = (first["write"]["runtime"] + second["write"]["runtime"]) / 1000
    assert found["write.bw"] == pytest.approx(16 * 2**20 / runtime_s)
    slower, faster = sorted(job["write"]["bw_bytes"] for job in (first, second))
    assert slower < found["write.bw"] < faster
    assert "write.p99" not in found, "percentiles of two groups cannot be added up"
    assert "read.p99" in found


def test_drained_bandwidth_counts_the_time_of_the_unmount(output):
    directions = fio_json.read(output / "mixed.json")
    (drained,) = fio_json.drained(directions, 1.0)
    group = directions["write"][0]
    assert drained.name == "write.drained_bw"
    assert drained.value == pytest.approx(group.bytes / (group.runtime_s + 1))
    assert fio_json.drained({"read": directions["read"]}, 1.0) == []


def test_a_drain_is_charged_to_the_ramp_too(output, tmp_path):
    """A second that fio does not count wrote as much as each that it counts: a quarter of the drain is its own."""
    data = json.loads((output / "mixed.json").read_text())
    data["global options"] |= {"ramp_time": "500ms"}
    side = data["jobs"][0]["write"]
    side |= {"runtime": 1500, "io_bytes": 15_000_000}
    (tmp_path / "fio.json").write_text(json.dumps(data))
    (drained,) = fio_json.drained(fio_json.read(tmp_path / "fio.json"), 2.0)
    whole_bytes, whole_s = 20_000_000, 2.0
    assert drained.value == pytest.approx(whole_bytes / (whole_s + 2.0))


@pytest.mark.parametrize(("operations", "beyond"), [(10_000, 10), (9_999, 9), (1_000, 1)])
def test_ios_beyond_a_percentile_are_counted_exactly(output, operations, beyond):
    (group,) = fio_json.read(output / "mixed.json")["write"]
    found = {m.name: m for m in fio_json.metrics({"write": [replace(group, operations=operations)]})}
    assert found["write.p999"].tail_ios == beyond
    assert found["write.p99"].tail_ios == 10 * operations // 1000


def log_of(path: Path, *jobs: list[tuple[int, int]], direction: int = 1) -> Path:
    """A bandwidth log as fio writes it: the points (ms, KiB/s) of one job after those of the other."""
    lines = [f"{at}, {rate}, {direction}, 0, 0" for job in jobs for at, rate in job]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_level_throughput_has_no_slope_and_a_planted_one_is_found(tmp_path):
    start = 1_795_577_130_000
    level = [(start + 300 * i, 1000) for i in range(1, 11)]
    falling = [(at, 1000 if i < 5 else 800) for i, (at, _) in enumerate(level)]
    assert logs.slopes(log_of(tmp_path / "a.log", level)) == {"write": pytest.approx(0)}
    found = logs.slopes(log_of(tmp_path / "b.log", falling, direction=0))
    assert found == {"read": pytest.approx(math.log(0.8))}


def test_jobs_add_up_in_time_and_one_that_ends_early_is_a_slope(tmp_path):
    long = [(100 * i, 1000) for i in range(1, 11)]
    assert logs.slopes(log_of(tmp_path / "a.log", long, long))["write"] == pytest.approx(0)
    found = logs.slopes(log_of(tmp_path / "b.log", long, long[:5]))["write"]
    assert found == pytest.approx(math.log(1 / 2))


def test_a_point_that_lies_across_the_middle_counts_for_both_halves(tmp_path):
    odd = [(100 * i, 1000) for i in range(1, 6)]
    assert logs.slopes(log_of(tmp_path / "a.log", odd))["write"] == pytest.approx(0)


def test_too_few_points_say_nothing_and_a_stall_is_finite(tmp_path):
    assert logs.slopes(log_of(tmp_path / "a.log", [(100, 5), (200, 5), (300, 9)])) == {}
    assert logs.slopes(tmp_path / "none.log") == {}
    stalled = [(100 * i, 1000 if i < 5 else 0) for i in range(1, 9)]
    assert math.isfinite(logs.slopes(log_of(tmp_path / "b.log", stalled))["write"])
    assert logs.slopes(tmp_path / "b.log")["write"] < -1


def test_only_what_is_measured_for_a_fixed_time_has_a_slope(output):
    mixed, stages = (fio_json.read(output / f"{name}.json") for name in ("mixed", "stages"))
    slopes = {"write": 0.25, "read": -0.25}
    assert {m.slope for m in fio_json.metrics(mixed, slopes) if m.name.startswith("write")} == {0.25}
    assert {m.slope for m in fio_json.metrics(stages, slopes)} == {None}


@pytest.mark.skipif(shutil.which("fio") is None, reason="fio is not installed")
def test_a_real_run_is_measured_after_its_ramp_and_its_slope_is_known(tmp_path):
    load = Load(
        "fio",
        "w",
        settings(a={"rw": "write", "size": "1m", "rate": "8m", "runtime": "600ms", "numjobs": "2"}),
    )
    context = LoadContext(tmp_path, (tmp_path,), tmp_path, tmp_path, tmp_path, Path())
    assert FIO.run(load, context).reason is None
    (group,) = fio_json.read(tmp_path / "fio.json")["write"]
    assert (group.ramp_s, group.time_based) == (0.06, True)
    assert group.runtime_s == pytest.approx(0.6, abs=0.2)
    found = {m.name: m for m in FIO.metrics(tmp_path)}
    slope = found["write.bw"].slope
    assert slope is not None
    assert abs(slope) < 1, "two jobs at a fixed rate"
    assert found["write.p50"].slope == slope


def test_traffic_is_what_profiles_are_divided_by(output):
    traffic = fio_json.traffic(fio_json.read(output / "stages.json"))
    assert traffic.by_direction == {"write": (256, 16 << 20), "read": (128, 8 << 20)}
    assert (traffic.operations, traffic.bytes) == (384, 24 << 20)
    assert traffic.latency_ns["write"] > 0


def reason(output: Path, ended: Ended, timeout_s: float | None = None) -> str:
    """Of a failure: there must be one, and an exit code that is not 0."""
    result = fio_json.result(output, ended, timeout_s)
    assert result.exit_code != 0
    assert result.reason is not None
    return result.reason


def test_a_full_filesystem_is_named(output):
    said = reason(output / "enospc.json", Ended(1, False, "fio: io_u error on file f"))
    assert "j: No space left on device (error 28)" in said
    assert "io_u error on file f" in said


@pytest.mark.parametrize("where", ["global options", "job options"])
@pytest.mark.parametrize("value", ["1", "0"])
def test_io_past_the_page_cache_that_is_refused_is_said_to_be_that(tmp_path, where, value):
    """As fio 3.33 writes it of passthrough_ll, unionfs and mergerfs on ext4."""
    options = {"global options": {}, "job options": {"bs": "4k"}, where: {"direct": value}}
    job = {"jobname": "j", "error": 22, "job options": options["job options"], "write": {"total_ios": 1}}
    whole = {"global options": options["global options"], "jobs": [job]}
    (tmp_path / "fio.json").write_text(json.dumps(whole))
    said = reason(tmp_path / "fio.json", Ended(1, False, ""))
    assert said.startswith("fio failed in j: Invalid argument (error 22)")
    assert ("with `direct: 1`" in said) == ("leave it out" in said) == (value == "1")


def test_an_interrupted_fio_has_failed_though_its_figures_read_well(output):
    assert fio_json.metrics(fio_json.read(output / "interrupted.json")), "text before the JSON is skipped"
    assert "interrupted" in reason(output / "interrupted.json", Ended(128, False, ""))


def test_a_fio_that_wrote_nothing_is_quoted(tmp_path):
    empty = tmp_path / "fio.json"
    empty.write_text("fio: failed parsing rw=wirte\n")
    said = reason(empty, Ended(1, False, ""))
    assert "exit code 1" in said
    assert "failed parsing rw=wirte" in said


def test_a_fio_that_did_its_work_has_no_reason(output):
    result = fio_json.result(output / "mixed.json", Ended(0, False, ""))
    assert (result.exit_code, result.reason) == (0, None)


def test_a_timeout_says_how_long_it_was(output):
    assert "did not end within 7 s" in reason(output / "mixed.json", Ended(-9, True, ""), 7.0)


def test_wrong_data_is_called_that_first(tmp_path):
    output = tmp_path / "verify.read.json"
    output.write_text(json.dumps({"jobs": [{"jobname": "random", "error": errno.EILSEQ}]}))
    said = reason(output, Ended(1, False, "crc32c: verify failed at file f offset 0")).splitlines()
    assert said[0].startswith("what was read back is not what was written (fio's job random: ")
    assert said[1] == "    crc32c: verify failed at file f offset 0"


def verifying(monkeypatch, tmp_path: Path, ended: Ended, error: int = 0) -> str:
    """The reason of a verifying run whose fio ended like that."""
    (tmp_path / "verify.write.json").write_text(json.dumps({"jobs": [{"jobname": "random", "error": error}]}))
    monkeypatch.setattr("fuselab.workloads.fio.verifying.run_fio", lambda *_: ended)
    context = LoadContext(tmp_path, (tmp_path,), tmp_path, tmp_path, tmp_path, Path())
    return VERIFIERS["data"].run(context, ()).reason or ""


def test_a_verifying_run_that_hangs_names_its_limit(monkeypatch, tmp_path):
    said = verifying(monkeypatch, tmp_path, Ended(-9, True, ""))
    assert said.startswith("the verifying run was not answered in time")
    assert said.endswith("fio: it did not end within 300 s")


def test_a_small_filesystem_learns_what_the_verifying_run_writes(monkeypatch, tmp_path):
    said = verifying(monkeypatch, tmp_path, Ended(1, False, ""), errno.ENOSPC)
    assert said.startswith("the verifying run writes 72 MiB")
    assert "No space left on device" in said
    jobs = (tmp_path / "verify.write.fio").read_text()
    assert [line for line in jobs.splitlines() if line.startswith("size=")] == ["size=64m", "size=8m"]


def test_the_manual_names_every_metric(checkout: Path):
    manual = (checkout / "docs/method.md").read_text()
    names = [f"write.{name}" for name in fio_json.METRICS]
    for name in (*names, "command.wall_s", "bench.geomean", *TARGET_METRICS):
        assert f"`{name}`" in manual, name


def test_what_fio_writes_and_json_forbids_is_read_all_the_same(tmp_path):
    """fio writes a tab of a description into its JSON as it is."""
    job = tmp_path / "tab.fio"
    job.write_text("[tab]\nrw=write\nsize=64k\ndescription=a\tb\n")
    argv = ["fio", "--output-format=json", f"--output={tmp_path / 'fio.json'}", str(job)]
    subprocess.run(argv, cwd=tmp_path, check=True, capture_output=True)
    with pytest.raises(json.JSONDecodeError):
        json.loads((tmp_path / "fio.json").read_text())
    assert fio_json.read(tmp_path / "fio.json")["write"][0].bytes == 64 << 10


@pytest.mark.parametrize(
    "wrote", ["{", '{"jobs": [{}]}', '{"jobs": [{"mixed": {"total_ios": 4}}]}', '{"jobs": 7}']
)
def test_what_we_cannot_read_is_no_failure_of_the_target(tmp_path, wrote):
    (tmp_path / "fio.json").write_text(wrote)
    assert fio_json.result(tmp_path / "fio.json", Ended(0, False, "")).reason in (None, NOTHING_DONE)
    said = reading.complaint("fio", tmp_path)
    assert said is not None
    assert said.startswith(reading.UNREAD)
    assert "not of the target" in said
    write_json(tmp_path / "run.json", run_record(marks=(said,)))
    assert reading.metrics("fio", tmp_path, read_json(tmp_path / "run.json", RunRecord)) == []
    assert reading.traffic("fio", tmp_path).operations == 0


def test_figures_that_became_unreadable_later_are_not_passed_over(tmp_path):
    write_json(tmp_path / "run.json", run_record())
    (tmp_path / "fio.json").write_text("{")
    with pytest.raises(ValueError, match=r"fio\.json|line 1"):
        reading.metrics("fio", tmp_path, read_json(tmp_path / "run.json", RunRecord))


def test_a_stonewall_of_0_is_no_stage(tmp_path):
    """fio says so too: it has run both jobs at once, within 2 s of time and not 4."""
    job = tmp_path / "stages.fio"
    both = "rw=write\nsize=1m\ntime_based=1\nruntime=1s\nrate=1m\ngroup_reporting=1\n"
    for wall, expected_s in (("0", 1.0), ("1", 2.0)):
        job.write_text(f"[global]\n{both}[a]\n[b]\nnew_group=1\nstonewall={wall}\n")
        argv = ["fio", "--output-format=json", f"--output={tmp_path / 'fio.json'}", str(job)]
        subprocess.run(argv, cwd=tmp_path, check=True, capture_output=True)
        ran_s = fio_json.seconds(fio_json.read(tmp_path / "fio.json")["write"])
        assert ran_s == pytest.approx(expected_s, rel=0.25)
