"""What is planted inside a Criterion bench is found by every profiler that can see it, in the bench's own process.

The bench is what anybody's is: plain Criterion, pprof's profiler behind a variable, and the layers of its program. The
story that fuselab began with is told again where it was seen: each write waits, and Criterion's own flamegraph shows
the copy in its place.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .conftest import Workspace
from .planted import Truth

pytestmark = [pytest.mark.mount, pytest.mark.slow, pytest.mark.alone]

WAIT_NS, COPY_NS, CHECKSUM_NS = 4_000_000, 600_000, 100_000
WRITES = 128
"""In one iteration."""
SAMPLE_NS = 10_000_000
"""What one sample of demofs's bench stands for, at the most: it asks for more, and the kernel's ticks give fewer."""
SAMPLES = 600
"""Of a burn that is six parts in seven of two, 5 % are three standard errors of so many."""
KEPT_BYTES = 64 << 20
SELF_WAKES = 456
WITHIN = 0.05

BENCHES = f"""
title: what is planted in a bench
target: demofs
backend: memory
instrumentation: combined
variants:
  nothing: {{}}
  waiting: {{env: {{DEMOFS_BENCH_INJECT: "extend-wait=4ms"}}}}
  busy: {{env: {{DEMOFS_BENCH_INJECT: "copy-cpu=600us,checksum-cpu=100us,heap=64MiB,self-wakes={SELF_WAKES}"}}}}
workloads:
  big: {{criterion: {{bench: demofs_bench, filter: big_file/write, args: [--measurement-time, "2"]}}}}
  # Longer under its own profiler, which gets at most a sample each 4 ms.
  long: {{criterion: {{bench: demofs_bench, filter: big_file/write, args: [--profile-time, "12"]}}}}
blocks: 1
profilers: [[trace-chrome, trace-flame], tokio-console, jemalloc-heap, perf-oncpu, perf-offcpu, criterion-flamegraph]
"""
LOOKED_AT = (
    "waiting/big/trace-chrome", "waiting/big/perf-oncpu", "waiting/big/perf-offcpu", "waiting/big/criterion-flamegraph",
    "busy/big/perf-oncpu", "busy/big/jemalloc-heap", "busy/big/tokio-console", "busy/long/criterion-flamegraph",
    "waiting/big/blindspots.json",
)  # fmt: skip


@pytest.fixture(scope="module")
def truth(shared_workspace: Workspace) -> Truth:
    shared_workspace.experiment("benches", BENCHES)
    shared_workspace.make(*(f"results/benches/processed/{name}" for name in LOOKED_AT))
    return Truth(shared_workspace.root / "results/benches", "criterion")


def test_the_first_sentence_is_the_wait_that_criterions_flamegraph_does_not_show(truth: Truth) -> None:
    account = json.loads((truth.folder("waiting/big") / "blindspots.json").read_text())
    first, *_ = account["headline"].split(". ")
    assert first.startswith("Most of the wall time of `write_at`")
    assert (
        "is a wait in `extend_file_size` (`demofs::file`) that the on-CPU flamegraph does not show" in first
    )
    cell = "waiting/big/criterion-flamegraph"
    assert truth.profile(cell)["total"] > 0
    (row,) = (r for r in truth.rows("waiting/big", "blindspots.parquet") if r["name"] == "extend_file_size")
    # What is there are the few samples of its work: of the wait, nothing.
    assert truth.time_in(cell, "extend_file_size") * SAMPLE_NS < 0.1 * row["awaiting_ns"]


def test_an_iteration_is_split_into_work_and_waits(truth: Truth) -> None:
    account = json.loads((truth.folder("waiting/big") / "blindspots.json").read_text())
    assert "An iteration of `big_file/write` took" in account["headline"]
    (row,) = (r for r in truth.rows("waiting/big", "blindspots.parquet") if r["name"] == "extend_file_size")
    assert row["awaiting_ns"] == pytest.approx(row["calls"] * WAIT_NS, rel=WITHIN)


def test_iterations_are_counted_exactly_the_warm_up_too(truth: Truth) -> None:
    cell = "waiting/big/trace-chrome"
    waits = truth.spans(cell, "extend_file_size")
    # The file is written once more, for the bench that reads it.
    assert len(waits) == (truth.operations(cell) + 1) * WRITES


def test_cpu_time_of_an_iteration_is_what_was_planted(truth: Truth) -> None:
    cell = "busy/big/perf-oncpu"
    planted_ns = (truth.operations(cell) + 1) * WRITES * COPY_NS
    assert truth.time_in(cell, "planted::burn_copy") == pytest.approx(planted_ns, rel=WITHIN)


def test_criterions_own_flamegraph_shares_out_what_was_planted(truth: Truth) -> None:
    """Nobody counts iterations in that mode, and a sample has no length: two burns are held to each other."""
    cell = "busy/long/criterion-flamegraph"
    copy, checksum = (truth.time_in(cell, f"planted::burn_{name}") for name in ("copy", "checksum"))
    assert copy + checksum >= SAMPLES, "too few to tell 5 %: who else had the CPUs?"
    planted = COPY_NS / (COPY_NS + CHECKSUM_NS)
    assert copy / (copy + checksum) == pytest.approx(planted, rel=WITHIN)
    assert copy + checksum > 0.5 * truth.profile(cell)["total"], "the bench does little else"


def test_criterions_own_flamegraph_names_what_is_inlined(truth: Truth) -> None:
    """However the compiler lays it out: pprof by itself names one sample for all of a compiled function."""
    burns = {f"planted::burn_{name}": 0 for name in ("copy", "checksum")}
    innermost = burns.copy()
    for stack, value in truth.stacks("busy/long/criterion-flamegraph"):
        for name in burns:
            if (at := next((i for i, frame in enumerate(stack) if name in frame), None)) is not None:
                burns[name] += value
                innermost[name] += value * any(frame.endswith("planted::burn") for frame in stack[at + 1 :])
    for name, samples in burns.items():
        assert innermost[name] > 0.9 * samples > 0, name


def test_kept_memory_of_a_bench_is_live_and_drawn_by_jeprof(truth: Truth) -> None:
    cell = "busy/big/jemalloc-heap"
    assert truth.time_in(cell, "plant_heap") == pytest.approx(KEPT_BYTES, rel=WITHIN)
    assert "plant_heap" in (truth.folder(cell) / "jeprof.svg").read_text()
    assert (truth.folder(cell) / "jeprof.pdf").read_bytes().startswith(b"%PDF-")


def test_a_task_that_wakes_itself_is_counted_exactly_and_where_it_was_spawned_is_known(truth: Truth) -> None:
    rows = truth.rows("busy/big/tokio-console", "tasks.parquet")
    (task,) = (row for row in rows if row["self_wakes"] > SELF_WAKES / 2)
    assert task["self_wakes"] == SELF_WAKES
    assert "faults.rs" in task["location"]


def test_the_process_that_is_looked_at_is_the_bench(truth: Truth) -> None:
    """Neither cargo nor the rig, which waits for it."""
    roots = {stack[0] for stack, _ in truth.stacks("busy/big/perf-oncpu")}
    assert {root for root in roots if "demofs_bench" in root}
    mine = sum(value for stack, value in truth.stacks("busy/big/perf-oncpu") if "python" in stack[0])
    assert mine < 0.01 * truth.profile("busy/big/perf-oncpu")["total"]
    (run,) = (Path(path) for path in (truth.home / "captures/busy/big").glob("perf-oncpu/*/*/run.json"))
    assert json.loads(run.read_text())["target"]["cpu_s"] > 0
