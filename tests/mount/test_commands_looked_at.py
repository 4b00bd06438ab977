"""From one YAML file to a report with `looks_at: command`: what a command does itself is found there."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from .conftest import Workspace
from .planted import Truth

pytestmark = [pytest.mark.mount, pytest.mark.slow, pytest.mark.alone]

BURN_MS, WAIT_MS, LEAK_MIB = 800, 600, 24
WITHIN = 0.05

COMMAND = """
title: a slow command on a filesystem
target: bindfs
variants:
  plain: {{}}
  small: {{options: {{fuse: max_write=65536}}}}
workloads:
  chores: {{command: {{argv: [{chores}, burn-ms={burn}, wait-ms={wait}, leak-mib={leak}], looks_at: command}}}}
blocks: 1
profilers: [[perf-oncpu, perf-offcpu], jemalloc-heap]
"""


@pytest.fixture(scope="module")
def truth(shared_workspace: Workspace, chores: Path) -> Truth:
    text = COMMAND.format(chores=chores, burn=BURN_MS, wait=WAIT_MS, leak=LEAK_MIB)
    shared_workspace.experiment("slow", text)
    shared_workspace.make("results/slow/report.html")
    return Truth(shared_workspace.root / "results/slow", "command")


def captures(truth: Truth, profilers: str) -> Iterator[Path]:
    yield from (truth.home / "captures/plain/chores" / profilers).glob("*/001")


def planted(truth: Truth, what: str) -> int:
    """By the own clocks of the command under perf."""
    (folder,) = captures(truth, "perf-oncpu+perf-offcpu")
    found = re.search(rf"{what}=(\d+)", (folder / "command.log").read_text())
    assert found is not None
    return int(found[1])


def test_cpu_time_and_waits_are_the_command_s_own(truth: Truth) -> None:
    on, off = "plain/chores/perf-oncpu", "plain/chores/perf-offcpu"
    assert truth.time_in(on, "burn_cpu") == pytest.approx(planted(truth, "cpu_ns"), rel=WITHIN)
    assert truth.time_in(off, "wait_asleep") == pytest.approx(planted(truth, "asleep_ns"), rel=WITHIN)
    assert "bindfs" not in {stack[0] for cell in (on, off) for stack, _ in truth.stacks(cell)}


def test_what_it_leaks_is_live_and_drawn_by_jeprof(truth: Truth) -> None:
    cell = "plain/chores/jemalloc-heap"
    assert truth.time_in(cell, "leak_memory") == pytest.approx(LEAK_MIB << 20, rel=WITHIN)
    assert "leak_memory" in (truth.folder(cell) / "jeprof.svg").read_text()


def test_the_filesystem_below_it_is_mounted_as_it_is_timed(truth: Truth) -> None:
    (folder,) = captures(truth, "jemalloc-heap")
    mount = json.loads((folder / "request.json").read_text())["mount"]
    (block,) = truth.home.glob("blocks/chores/*/*/plain/request.json")
    timed = json.loads(block.read_text())["mount"]
    assert {**mount, "profilers": []} == {**timed, "profilers": []}
    assert "looks_at" not in block.read_text()


def test_the_report_says_whom_it_looked_at_and_names_what_it_found(truth: Truth) -> None:
    page = (truth.home / "report.html").read_text()
    assert page.count("with all that it starts, and not the filesystem") == 3, "once for each profiler"
    assert "leak_memory" in page
    for profiler in ("perf-oncpu", "perf-offcpu", "jemalloc-heap"):
        assert (truth.home / f"diffs/small-vs-plain/chores/{profiler}/diff.svg").is_file()
