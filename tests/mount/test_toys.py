"""What another package registers is found wherever fuselab's own is: docs/extend.md, followed in tests/toys."""

from __future__ import annotations

import csv
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from .conftest import Workspace

pytestmark = [pytest.mark.mount, pytest.mark.slow]

TOYS = Path(__file__).resolve().parents[1] / "toys"
EXPERIMENT = """\
title: toys
target: demofs
variants: {baseline: {}, waiting: {options: {inject: extend-wait=1ms}}}
workloads: {many: {touch: {files: 50}}}
blocks: 1
profilers: [thread-time]
queries:
  - title: Files a second
    sql: SELECT variant, round(value) AS files FROM metrics WHERE metric = 'touch.rate' ORDER BY variant
  - title: Busy threads
    sql: SELECT thread, ran_ns FROM threads ORDER BY ran_ns DESC
"""


@pytest.fixture(scope="module")
def toys(shared_workspace: Workspace) -> Iterator[Workspace]:
    """An experiment with the toys, made once; every process below finds them by PYTHONPATH alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(TOYS))
        shared_workspace.experiment("toys", EXPERIMENT)
        shared_workspace.make("results/toys/report.html")
        yield shared_workspace


def fuselab(toys: Workspace, *words: str) -> subprocess.CompletedProcess[str]:
    argv = [".venv/bin/fuselab", *words]
    return subprocess.run(argv, cwd=toys.root, env=toys.env, text=True, capture_output=True, check=False)


def test_the_load_is_planned_run_and_compared(toys: Workspace):
    base = toys.root / "results" / "toys"
    (planned,) = json.loads((base / "plan.json").read_text())["workloads"]
    assert (planned["kind"], planned["settings"]) == ("touch", {"files": 50})
    blocks = [path for path, run in toys.runs("toys").items() if run["purpose"] == "timed"]
    assert [json.loads((path.parent / "touch.json").read_text())["files"] for path in blocks] == [50, 50]
    with (base / "metrics.csv").open() as file:
        rates = [row for row in csv.DictReader(file) if row["metric"] == "touch.rate"]
    assert {(row["variant"], row["unit"], row["better"]) for row in rates} == {
        ("baseline", "1/s", "higher"),
        ("waiting", "1/s", "higher"),
    }
    assert toys.comparisons("toys")["waiting", "touch.rate"]["family"] == "primary"


def test_the_load_is_in_the_report_in_words_of_its_own(toys: Workspace):
    page = (toys.root / "results/toys/report.html").read_text()
    assert "file creations per second" in page
    assert "Files a second" in page


def test_the_load_can_be_asked_for_in_sql(toys: Workspace):
    said = fuselab(toys, "query", "toys", "SELECT count(*) AS n FROM metrics WHERE metric = 'touch.rate'")
    assert said.returncode == 0, said.stderr
    assert "2" in said.stdout


def test_the_profiler_is_planned_captured_processed_and_compared(toys: Workspace):
    base = toys.root / "results" / "toys"
    plan = json.loads((base / "plan.json").read_text())
    assert {(c["variant"], *c["profilers"]) for c in plan["captures"]} == {
        ("baseline", "thread-time"),
        ("waiting", "thread-time"),
    }
    captures = [path for path, run in toys.runs("toys").items() if run["purpose"] == "capture"]
    assert [json.loads((path.parent / "threads.json").read_text()) != [] for path in captures] == [True, True]
    for variant in ("baseline", "waiting"):
        folder = base / "processed" / variant / "many" / "thread-time"
        profile = json.loads((folder / "profile.json").read_text())
        assert (profile["status"], profile["unit"], profile["operations"]) == ("ok", "ns of thread time", 50)
        assert profile["total"] > 0
        assert (folder / "flamegraph.svg").is_file()
    difference = base / "diffs" / "waiting-vs-baseline" / "many" / "thread-time"
    assert (difference / "diff.svg").is_file()
    assert "ran" in (difference / "movers.csv").read_text()


def test_the_profiler_is_in_the_report_with_what_it_sees(toys: Workspace):
    page = (toys.root / "results/toys/report.html").read_text()
    for words in (
        "threads: on a CPU and waiting for one",
        "threads that come or go under the load",
        "by thread",
        "Every thread",
        "Busy threads",
    ):
        assert words in page


def test_the_profiler_can_be_asked_for_in_sql(toys: Workspace):
    sql = "SELECT variant, sum(ran_ns) > 0 AS busy FROM threads GROUP BY variant ORDER BY variant"
    asked = fuselab(toys, "query", "toys", sql, "--json")
    assert json.loads(asked.stdout) == [
        {"variant": "baseline", "busy": True},
        {"variant": "waiting", "busy": True},
    ], asked.stderr


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("profilers: [thread-tim]", "unknown profiler 'thread-tim'; did you mean 'thread-time'?"),
        ("", "the table 'threads' stays empty: it comes from thread-time, which 'profilers' lacks"),
    ],
)
def test_a_slip_about_the_profiler_is_said_with_its_mend(toys: Workspace, written: str, said: str):
    toys.experiment("slip", EXPERIMENT.replace("profilers: [thread-time]", written))
    checked = fuselab(toys, "check", "slip")
    os.remove(toys.root / "experiments" / "slip.yaml")
    assert checked.returncode != 0
    assert said in " ".join((checked.stdout + checked.stderr).split())


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("many: {tuch: {files: 50}}", "unknown key 'tuch'; did you mean 'touch'?"),
        ("many: {touch: {file: 50}}", "unknown key 'file'; did you mean 'files'?"),
        ("many: {touch: {files: many}}", "'many' cannot stand here: 'files' is a whole number"),
        ("many: {touch: {}}", "the key 'files' is missing in 'workloads.many.touch'"),
        ("many: {timeout: 5s}", "'workloads.many' needs one of fio, criterion, command, metadata, touch"),
    ],
)
def test_a_slip_in_its_keys_is_said_with_its_mend(toys: Workspace, written: str, said: str):
    toys.experiment("slip", EXPERIMENT.replace("many: {touch: {files: 50}}", written))
    checked = fuselab(toys, "check", "slip")
    os.remove(toys.root / "experiments" / "slip.yaml")
    assert checked.returncode != 0
    assert said in " ".join((checked.stdout + checked.stderr).split())


@pytest.mark.parametrize("group", ["fuselab.workloads", "fuselab.profilers"])
def test_a_module_that_is_broken_is_named_and_nothing_else_ends(toys: Workspace, tmp_path: Path, group: str):
    (tmp_path / "broken-1.dist-info").mkdir()
    (tmp_path / "broken-1.dist-info" / "entry_points.txt").write_text(f"[{group}]\nx = not_there:X\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", f"{TOYS}{os.pathsep}{tmp_path}")
        checked = fuselab(toys, "check", "toys")
    assert checked.returncode == 0
    assert "`x = not_there:X` is left out: ModuleNotFoundError: No module named 'not_there'" in checked.stderr
