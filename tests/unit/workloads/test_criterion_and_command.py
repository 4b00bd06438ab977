"""Benches and commands: their figures, from the files they leave."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import pytest

from fuselab.records.request import Load
from fuselab.workloads import REGISTRY
from fuselab.workloads.base import LoadContext, LoadResult

ESTIMATES = Path("criterion", "big_file", "write", "new", "estimates.json")


@pytest.fixture
def context(tmp_path: Path) -> LoadContext:
    place = tmp_path / "place"
    place.mkdir()
    binary = tmp_path / "builds" / "b" / "prog"
    return LoadContext(place, (place,), tmp_path, tmp_path, tmp_path, binary, {"PROFILE": "1"})


def bench(context: LoadContext, script: str) -> LoadResult:
    """Run a bench that is a shell script."""
    program = context.binary.parent.with_name("b-bench-speed") / "speed"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    load = Load(
        "criterion", "w", {"bench": "speed", "filter": "big", "args": ("--sample-size", "10")}, timeout_s=10
    )
    return REGISTRY["criterion"].run(load, context)


def test_a_bench_is_named_by_its_id_and_told_by_its_slope(golden):
    run = golden / "criterion-run"
    _, metric = REGISTRY["criterion"].metrics(run)
    assert metric.name == "bench.big_file/write"
    assert (metric.unit, metric.better) == ("ns", "lower")
    assert metric.value == json.loads((run / ESTIMATES).read_text())["slope"]["point_estimate"]


def test_a_flat_bench_has_no_slope_and_is_told_by_its_mean(golden, tmp_path):
    shutil.copytree(golden / "criterion-run" / "criterion", tmp_path / "criterion")
    estimates = json.loads((tmp_path / ESTIMATES).read_text())
    (tmp_path / ESTIMATES).write_text(json.dumps({**estimates, "slope": None}))
    _, metric = REGISTRY["criterion"].metrics(tmp_path)
    assert metric.value == estimates["mean"]["point_estimate"]


def test_the_mean_over_benches_weighs_each_alike_and_is_known_beforehand(golden, tmp_path):
    for name, ns in (("quick", 100.0), ("slow", 10_000.0)):
        folder = tmp_path / "criterion" / name / "new"
        shutil.copytree((golden / "criterion-run" / ESTIMATES).parent, folder)
        (folder / "estimates.json").write_text(json.dumps({"slope": {"point_estimate": ns}}))
    kind = REGISTRY["criterion"]
    mean, *each = kind.metrics(tmp_path)
    assert [mean.name] == list(kind.metric_names({}))
    assert mean.value == pytest.approx(1_000.0)
    assert [metric.value for metric in each] == [100.0, 10_000.0]


def test_a_bench_gets_its_arguments_its_home_and_its_profilers_settings(context):
    result = bench(context, 'mkdir -p "$CRITERION_HOME/x"; echo "$@ $PROFILE"')
    assert result == LoadResult(0)
    assert (context.out / "bench.log").read_text() == "--bench --noplot big --sample-size 10 1\n"
    assert (context.out / "criterion" / "x").is_dir()


def test_a_bench_that_measures_nothing_has_failed(context):
    reason = bench(context, "exit 0").reason
    assert reason is not None
    assert "does the filter `big` match" in reason


def test_a_bench_that_panics_is_quoted(context):
    reason = bench(context, "echo panicked at line 3 >&2; exit 101").reason
    assert reason is not None
    assert "exit code 101" in reason
    assert "panicked at line 3" in reason


def test_a_command_is_timed_where_the_filesystem_is(context):
    load = Load("command", "w", {"argv": ["sh", "-c", 'pwd; echo "$0"', "{mountpoint}"]}, timeout_s=10)
    assert REGISTRY["command"].run(load, context) == LoadResult(0)
    assert (context.out / "command.log").read_text() == f"{context.directory}\n{context.directory}\n"
    (metric,) = REGISTRY["command"].metrics(context.out)
    assert metric.name == "command.wall_s" == REGISTRY["command"].metric_names(load.settings)[0]
    assert 0 < metric.value < 10


def test_a_command_that_takes_too_long_is_ended(context):
    load = Load("command", "w", {"argv": ["sleep", "1000"]}, timeout_s=0.2)
    result = REGISTRY["command"].run(load, context)
    assert result.exit_code != 0
    assert result.reason is not None
    assert "did not end within 0.2 s" in result.reason


@pytest.mark.parametrize("estimate", [None, 0.0])
def test_an_estimate_that_is_no_time_has_no_ratio_and_stops_nothing(golden, tmp_path, estimate):
    shutil.copytree(golden / "criterion-run" / "criterion", tmp_path / "criterion")
    folder = tmp_path / "criterion" / "other" / "new"
    shutil.copytree((tmp_path / ESTIMATES).parent, folder)
    said = json.loads((folder / "estimates.json").read_text())
    # As Criterion writes it: what is no number is null in JSON.
    said = {**said, "slope": None, "mean": {**said["mean"], "point_estimate": estimate}}
    (folder / "estimates.json").write_text(json.dumps(said))
    mean, *each = REGISTRY["criterion"].metrics(tmp_path)
    assert math.isnan(mean.value), "of the benches that are left it would be another figure"
    values = sorted(metric.value for metric in each if metric.value and not math.isnan(metric.value))
    assert values == [json.loads((tmp_path / ESTIMATES).read_text())["slope"]["point_estimate"]]
