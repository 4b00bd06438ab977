"""Benches and commands: their figures, from the files they leave."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from fuselab.records.request import Load
from fuselab.workloads import REGISTRY
from fuselab.workloads.base import LoadContext, LoadResult
from fuselab.workloads.criterion.iterations import read_iterations

ESTIMATES = Path("criterion", "big_file", "write", "new", "estimates.json")


@pytest.fixture
def context(tmp_path: Path) -> LoadContext:
    place = tmp_path / "place"
    place.mkdir()
    binary = tmp_path / "builds" / "b-bench-speed" / "speed"
    return LoadContext(place, (place,), tmp_path, tmp_path, tmp_path, binary, {"PROFILE": "1"})


def bench(context: LoadContext, script: str, args: tuple[str, ...] = ("--sample-size", "10")) -> LoadResult:
    """Run a bench that is a shell script."""
    program = context.binary
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    load = Load("criterion", "w", {"bench": "speed", "filter": "big", "args": args}, timeout_s=10)
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


def test_a_profilers_words_reach_a_bench_unless_its_own_say_the_same(context):
    """Criterion profiles only with --profile-time, and takes no option twice."""
    looked_at = replace(context, argv=("--profile-time", "5", "--sample-size", "20"), ramp=False)
    assert bench(looked_at, 'echo "$@"') == LoadResult(0), "what it left is the profiler's to judge"
    said = (context.out / "bench.log").read_text()
    assert (
        said
        == "--bench --noplot big --sample-size 10 --profile-time 5 --nresamples 1001 --warm-up-time 0.001\n"
    )


@pytest.mark.parametrize(
    ("told", "ramp", "length"),
    [
        (("--profile-time", "5"), False, ("--profile-time", "20")),  # looked at by its own profiler
        ((), False, ()),  # looked at by perf, say
        ((), True, ()),  # timed
    ],
)
def test_only_its_own_profiler_has_a_bench_run_for_as_long_as_the_load_says(context, told, ramp, length):
    """Criterion measures nothing then: a timed run would have no figure."""
    context = replace(context, argv=told, ramp=ramp)
    bench(context, 'mkdir -p "$CRITERION_HOME/x"; echo "$@"', ("--profile-time", "20", "--sample-size", "10"))
    said = (context.out / "bench.log").read_text().split()
    assert said[: 3 + len(length) + 2] == ["--bench", "--noplot", "big", *length, "--sample-size", "10"]
    assert said.count("--profile-time") == bool(length)


def test_the_program_of_a_bench_alone_is_looked_at(context):
    """Not the rig that waits for it: it joins the family's group only to start it."""
    looked_at = Noted()
    bench(replace(context, looked_at=looked_at), 'echo "$$" > pid; mkdir -p "$CRITERION_HOME/x"')
    pid = int((context.scratch / "pid").read_text())
    assert looked_at.events == ["in", "out", pid]


def test_a_command_that_is_looked_at_starts_among_those_that_are(context):
    looked_at = Noted()
    load = Load("command", "w", {"argv": ["sh", "-c", 'echo "$$" > "$0/pid"', "{scratch}"]}, timeout_s=10)
    assert REGISTRY["command"].run(load, replace(context, looked_at=looked_at)) == LoadResult(0)
    assert looked_at.events == ["in", "out", int((context.scratch / "pid").read_text())]


class Noted:
    """Who joined the processes that are looked at, and when."""

    def __init__(self) -> None:
        self.events: list[object] = []

    @contextmanager
    def starting(self) -> Iterator[None]:
        self.events.append("in")
        yield
        self.events.append("out")

    def add(self, *pids: int) -> None:
        self.events.extend(pids)


SAID = """Benchmarking big_file/write
Benchmarking big_file/write: Warming up for 500.00 ms
Benchmarking big_file/write: Collecting 20 samples in estimated {} (60 iterations)
"""


@pytest.mark.parametrize(
    ("estimated", "warm_up"),
    # 60 iterations of 34.16 ms: the fourth batch ends after 15 of them, at 512 ms.
    [("2.0494 s", 15), ("60.000 s", 1), ("6.0000 ms", 8191)],
)
def test_a_bench_ran_its_warm_up_too(tmp_path, estimated, warm_up):
    folder = tmp_path / "criterion" / "big_file" / "write" / "new"
    folder.mkdir(parents=True)
    (folder / "benchmark.json").write_text('{"full_id": "big_file/write"}')
    (folder / "sample.json").write_text(
        '{"sampling_mode": "Flat", "iters": [30.0, 30.0], "times": [1e9, 1.4e9]}'
    )
    (tmp_path / "bench.log").write_text(SAID.format(estimated))
    (read,) = read_iterations(tmp_path / "criterion", tmp_path / "bench.log")
    assert (read.timed, read.warm_up, read.mean_ns) == (60, warm_up, 4e7)
    assert REGISTRY["criterion"].traffic(tmp_path).operations == 60 + warm_up


def test_of_a_bench_that_does_not_say_its_warm_up_iterations_are_not_known(golden):
    assert REGISTRY["criterion"].traffic(golden / "criterion-run").operations == 0


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


SAYS = """\
echo "create: 1500 files/s"
echo '{"latency": {"p99": 12.5}, "peak": 3}'
echo "warning: not a figure: create: 7" >&2
printf 'op,rate\\nstat,20\\nopen,30\\n' > "$0/table.csv"
echo 'moved_bytes{to="disk"} 4' > "$0/metrics.prom"
"""


def figures(context: LoadContext, metrics: dict[str, dict[str, object]], script: str = SAYS) -> LoadResult:
    """Run a command with the figures that `fuselab check` would leave of it."""
    settings = {"argv": ["sh", "-c", script, "{scratch}"], "metrics": metrics}
    return REGISTRY["command"].run(Load("command", "w", settings, timeout_s=10), context)


def test_figures_of_a_command_are_read_of_what_it_writes_and_kept_in_base_units(context):
    metrics: dict[str, dict[str, object]] = {
        "create": {"regex": r"create: (\d+)", "unit": "1/s", "better": "higher"},
        "p99": {"json": "$.latency.p99", "unit": "us", "better": "lower"},
        "peak": {"json": "$.peak", "unit": "KiB", "better": "lower"},
        "open": {
            "csv": {"column": "rate", "row": {"op": "open"}},
            "file": "{scratch}/table.csv",
            "unit": "MiB/s",
            "better": "higher",
        },
        "moved": {
            "prometheus": "moved_bytes",
            "file": "{scratch}/metrics.prom",
            "unit": "count",
            "better": "lower",
        },
    }
    assert figures(context, metrics) == LoadResult(0)
    found = {m.name: (m.value, m.unit, m.better) for m in REGISTRY["command"].metrics(context.out)}
    assert list(found) == list(REGISTRY["command"].metric_names({"metrics": metrics}))
    assert found.pop("command.wall_s")[1] == "s"
    assert found == {
        "command.create": (1500.0, "1/s", "higher"),
        "command.p99": (12_500.0, "ns", "lower"),
        "command.peak": (3072.0, "B", "lower"),
        "command.open": (30.0 * 2**20, "B/s", "higher"),
        "command.moved": (4.0, "count", "lower"),
    }


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ({"regex": r"unlink: (\d+)"}, "a line that matches the regular expression `unlink: (\\d+)`"),
        ({"json": "$.latency.p999"}, "a JSON document with $.latency.p999"),
        ({"json": "$.p99", "file": "{scratch}/nowhere.json"}, "nowhere.json: No such file"),
        ({"json": "$.p99", "file": "{mountpoint}"}, "it is no regular file"),
        ({"csv": {"column": "rate", "row": None}, "file": "{scratch}/table.csv"}, "there are 2: lines 2, 3"),
    ],
)
def test_a_figure_that_is_missing_fails_the_run_with_what_was_expected(context, place, words):
    reason = figures(context, {"wanted": {**place, "unit": "1/s", "better": "higher"}}).reason
    assert reason is not None
    assert "the metric `wanted` is not in" in reason
    assert words in reason
    assert "warning: not a figure" in reason, "the command's last words help"
    assert not (context.out / "command.json").exists()


def test_a_figure_below_0_fails_the_run_for_no_ratio_can_be_taken_of_it(context):
    metrics: dict[str, dict[str, object]] = {"took": {"regex": r"took (\S+)", "unit": "s", "better": "lower"}}
    reason = figures(context, metrics, "echo took -3").reason
    assert reason is not None
    assert (
        "the metric `took` is not in what it wrote: -3 s stands in its place, and no such figure is below 0"
        in reason
    )
    assert figures(context, metrics, "echo took 0") == LoadResult(0)


def test_more_than_is_kept_of_an_output_is_not_searched_for_a_figure(context):
    script = "head -c 17000000 /dev/zero | tr '\\0' x; echo; echo 'create: 5'"
    reason = figures(
        context, {"create": {"regex": r"create: (\d+)", "unit": "1/s", "better": "higher"}}, script
    ).reason
    assert reason is not None
    assert "larger than 16 MiB" in reason


def test_the_figures_of_a_command_decide_and_not_its_wall_time():
    kind = REGISTRY["command"]
    assert kind.primary({"metrics": {"create": {}, "stat": {}}}) == ["command.create", "command.stat"]
    assert kind.primary({}) == ["command.wall_s"]


def test_the_methods_say_which_figures_are_the_command_s_own():
    kind = REGISTRY["command"]
    own = {"argv": ("mdtest", "-n", "10"), "metrics": {"create": {"unit": "1/s"}}}
    assert kind.described("w", own) == [
        "`w` runs `mdtest`, which measures by itself: `command.create` (1/s)."
    ]
    assert kind.described("w", {"argv": ("true",)}) == []
    (seen,) = kind.described("w", {"argv": ("true",), "looks_at": "command"})
    assert seen == "Under `w` profilers look at `true` and all that it starts, not at the filesystem."
