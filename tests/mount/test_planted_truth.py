"""What is planted in demofs is what the whole workflow finds: from one YAML file, through real mounts, to tables.

One experiment holds the faults, and captures are made of those that a test looks at: each fault is looked at by a
profiler that its neighbours in a variant leave alone. Figures are held to
5 % of what was planted, the promise of every profiler. Where a figure can only be longer than what was planted (a
sleep never ends early), the machine's own delay is within the 5 % too, so the planted times are long. Metadata is in
memory, where the work that belongs to an operation itself is small beside what is planted into it.
"""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from pathlib import Path
from statistics import median

import pytest

from fuselab.jobs.account import write_account
from fuselab.programs import tool_path

from .conftest import Workspace
from .planted import Truth

pytestmark = [pytest.mark.mount, pytest.mark.slow, pytest.mark.alone]

WAIT_NS, HELD_NS, BLOCKED_NS = 10_000_000, 20_000_000, 5_000_000
COPY_NS, CHECKSUM_NS = 600_000, 600_000
KEPT_BYTES = 64 << 20
TASKS, SELF_WAKES = 123, 456
JOBS = 4
WITHIN = 0.05

PROFILERS = "profilers: [[trace-chrome, trace-flame], tokio-console, jemalloc-heap, perf-oncpu, perf-offcpu]"
TRUTH = f"""
title: what is planted
target: demofs
backend: memory
variants:
  nothing: {{}}
  waiting: {{options: {{inject: "extend-wait=10ms,block=5ms"}}}}
  burning: {{options: {{inject: "copy-cpu=600us,checksum-cpu=600us"}}}}
  queueing: {{options: {{inject: lock=20ms}}}}
  keeping: {{options: {{inject: "heap=64MiB,tasks={TASKS},self-wakes={SELF_WAKES}"}}}}
workloads:
  one: {{fio: {{rw: write, bs: 64k, size: 16m, runtime: 4s}}}}
  four: {{fio: {{rw: write, bs: 64k, size: 4m, runtime: 2s, numjobs: {JOBS}}}}}
blocks: 1
profilers: [[trace-chrome, trace-flame, fuse-requests, perf-offcpu], tokio-console, jemalloc-heap, perf-oncpu]
"""
LOOKED_AT = (
    "nothing/one/trace-chrome", "nothing/one/fuse-requests", "waiting/one/fuse-requests",
    "waiting/one/trace-chrome", "waiting/one/perf-oncpu", "waiting/one/perf-offcpu", "burning/four/perf-oncpu",
    "queueing/four/trace-chrome", "queueing/four/tokio-console", "keeping/one/jemalloc-heap",
    "keeping/one/tokio-console",
)  # fmt: skip
NOTHING = f"""
title: two sides with nothing between them
target: demofs
backend: sqlite
variants: {{baseline: {{options: {{inject: block=200us}}}}}}
control: true
workloads:
  seq: {{fio: {{rw: write, bs: 64k, size: 16m, runtime: 500ms}}}}
blocks: 1
captures: 3
{PROFILERS}
"""


# The function that blocks has no span in this trace. Its build is that of all profilers, also where nothing looks.
UNSEEN = """
title: a span that is missing
target: demofs
backend: memory
variants:
  unseen:
    options: {inject: block=5ms}
    env: {RUST_LOG: "warn,demofs=trace,demofs::inject=off"}
    features: [profiling, jemalloc-profiling]
    rustflags: [--cfg, tokio_unstable]
control: true
workloads: {one: {fio: {rw: write, bs: 64k, size: 16m, runtime: 1s}}}
blocks: 1
profilers: [[trace-chrome, perf-offcpu]]
"""


# Names in etcd and data in S3, one of them some way off: both are asked for every file.
AWAY_MS = 1
TWO_STORES = f"""
title: which of two stores is far away
target: demofs
backend: {{meta: etcd, data: s3}}
variants:
  near: {{}}
  far: {{network: {{meta: {{delay: {AWAY_MS}ms}}}}}}
workloads:
  files:
    fio:
      {{rw: write, bs: 16k, nrfiles: 60, filesize: 16k, size: 960k, create_on_open: 1, openfiles: 1,
        file_service_type: sequential}}
blocks: 1
{PROFILERS}
"""


@pytest.fixture(scope="module")
def truth(shared_workspace: Workspace) -> Truth:
    shared_workspace.experiment("truth", TRUTH)
    asked = (*LOOKED_AT, "waiting/one/blindspots.json")
    shared_workspace.make(*(f"results/truth/processed/{name}" for name in asked))
    return Truth(shared_workspace.root / "results/truth")


def test_a_wait_is_in_its_spans_in_all_and_for_each_call(truth: Truth) -> None:
    spans = truth.spans("waiting/one/trace-chrome", "extend_file_size")
    writes = truth.operations("waiting/one/trace-chrome")
    assert len(spans) == writes > 100
    waited_us = [span["self_us"] for span in spans]
    assert sum(waited_us) == pytest.approx(writes * WAIT_NS / 1000, rel=WITHIN)
    assert sorted(waited_us)[writes // 2] == pytest.approx(WAIT_NS / 1000, rel=WITHIN)
    assert min(waited_us) >= WAIT_NS / 1000 * 0.999


def test_a_wait_is_absent_from_on_cpu(truth: Truth) -> None:
    cell = "waiting/one/perf-oncpu"
    waited_ns = truth.operations(cell) * WAIT_NS
    assert truth.time_in(cell, "extend_file_size") < 0.02 * waited_ns
    assert truth.profile(cell)["total"] > 0


def test_the_account_says_in_words_where_the_wait_is(truth: Truth) -> None:
    account = json.loads((truth.folder("waiting/one") / "blindspots.json").read_text())
    assert account["headline"].startswith("Most of the wall time of `write`")
    assert (
        "is a wait in `extend_file_size` (`demofs::file`) that the on-CPU flamegraph does not show"
        in account["headline"]
    )
    (row,) = (
        row for row in truth.rows("waiting/one", "blindspots.parquet") if row["name"] == "extend_file_size"
    )
    assert row["awaiting_ns"] == pytest.approx(row["calls"] * WAIT_NS, rel=WITHIN)
    assert row["oncpu_ns"] < 0.02 * row["wall_ns"]
    assert row["blocked_ns"] < 0.02 * row["wall_ns"]
    (blocking,) = (
        row for row in truth.rows("waiting/one", "blindspots.parquet") if row["name"] == "block_thread"
    )
    assert blocking["blocked_ns"] == pytest.approx(blocking["calls"] * BLOCKED_NS, rel=WITHIN)
    assert blocking["awaiting_ns"] < 0.02 * blocking["wall_ns"]


def test_a_span_that_is_missing_is_named_by_what_blocks_in_its_place(shared_workspace: Workspace) -> None:
    shared_workspace.experiment("unseen", UNSEEN)
    shared_workspace.make("results/unseen/processed/unseen/one/blindspots.json")
    folder = shared_workspace.root / "results/unseen/processed/unseen/one"
    (said,) = json.loads((folder / "blindspots.json").read_text())["hints"]
    assert re.fullmatch(
        r"\d+% of `write_at` is in no child span; its blocked stacks name `Faults::before_write`: "
        r"a span there would show it\.",
        said,
    )
    share = int(said.partition("%")[0])
    assert share > 75, "5 ms of each write, beside all that is its own"


@pytest.mark.skipif(tool_path("s3s-fs") is None, reason="type `make setup-s3` first")
def test_a_store_that_is_far_away_is_found_in_its_own_row_and_not_in_the_others(
    shared_workspace: Workspace,
) -> None:
    shared_workspace.experiment("stores", TWO_STORES)
    cells = ("near/files/trace-chrome", "far/files/trace-chrome")
    shared_workspace.make(*(f"results/stores/processed/{cell}" for cell in cells))
    stores = Truth(shared_workspace.root / "results/stores")

    def waits_ms(cell: str, name: str) -> float:
        awaited = [span["self_us"] / 1000 for span in stores.spans(cell, name)]
        assert len(awaited) > 50, (cell, name)
        return float(median(awaited))

    near, far = cells
    away_ms = 2 * AWAY_MS  # there and back
    further_ms = waits_ms(far, "stat") - waits_ms(near, "stat")
    assert away_ms * 0.95 <= further_ms < 1.5 * away_ms, "etcd, in its own span"
    assert abs(waits_ms(far, "put") - waits_ms(near, "put")) < away_ms / 2, "S3 is where it was"


def test_spans_and_requests_stand_together_and_tell_the_same_wait(truth: Truth) -> None:
    account = json.loads((truth.folder("waiting/one") / "blindspots.json").read_text())
    assert account["headline"]
    assert account["in_flight"]
    assert any("Time outside the target is measured" in note for note in account["notes"])
    (write,) = (
        row
        for row in truth.rows("waiting/one/fuse-requests", "in_flight.parquet")
        if row["opcode"] == "WRITE"
    )
    # At least: who was woken and waits for a processor is still awaited, and still blocked.
    assert write["awaiting_ns"] >= 0.99 * write["requests"] * WAIT_NS
    assert write["blocked_ns"] >= 0.99 * write["requests"] * BLOCKED_NS
    assert write["oncpu_ns"] < 0.2 * write["in_flight_ns"]


def test_an_outermost_span_that_does_not_cover_its_request_says_so(truth: Truth, tmp_path: Path) -> None:
    """Where nothing waits, reading requests and writing answers is much of the time: no span of demofs is around it."""
    folders = [truth.folder(f"nothing/one/{profiler}") for profiler in ("trace-chrome", "fuse-requests")]
    write_account(folders, truth.capture("nothing/one/trace-chrome"), "fio", tmp_path)
    notes = json.loads((tmp_path / "blindspots.json").read_text())["notes"]
    assert any(note.startswith("The span `write` does not cover its request: it lasts ") for note in notes)


def test_cpu_time_is_found_in_inlined_async_functions(truth: Truth) -> None:
    cell = "burning/four/perf-oncpu"
    copied, summed = (truth.time_in(cell, f"planted::{name}") for name in ("burn_copy", "burn_checksum"))
    assert copied / (copied + summed) == pytest.approx(0.5, rel=WITHIN)
    assert copied + summed == pytest.approx(truth.operations(cell) * (COPY_NS + CHECKSUM_NS), rel=WITHIN)


def test_a_blocked_worker_is_off_cpu(truth: Truth) -> None:
    cell = "waiting/one/perf-offcpu"
    assert truth.time_in(cell, "block_thread") == pytest.approx(
        truth.operations(cell) * BLOCKED_NS, rel=WITHIN
    )


def test_kept_memory_is_live_and_has_its_error(truth: Truth) -> None:
    cell = "keeping/one/jemalloc-heap"
    rows = [row for row in truth.rows(cell, "table.parquet") if "plant_heap" in row["stack"]]
    assert sum(row["live_bytes"] for row in rows) == pytest.approx(KEPT_BYTES, rel=WITHIN)
    error = sum(row["sampling_sd_bytes"] ** 2 for row in rows) ** 0.5 / KEPT_BYTES
    assert error < WITHIN / 2, "the sampling rate allows the claim"
    assert truth.time_in(cell, "plant_heap") == pytest.approx(KEPT_BYTES, rel=WITHIN)


def test_a_contended_lock_is_a_wait_in_its_spans(truth: Truth) -> None:
    cell = "queueing/four/trace-chrome"
    writes = truth.operations(cell)
    held = truth.spans(cell, "hold_lock")
    assert len(held) == writes
    assert sum(span["self_us"] for span in held) == pytest.approx(writes * HELD_NS / 1000, rel=WITHIN)
    # With every job always at the lock, each write waits while the others hold it, one after the other.
    queued = [span["self_us"] for span in truth.spans(cell, "contend_lock")]
    assert sum(queued) == pytest.approx(writes * (JOBS - 1) * HELD_NS / 1000, rel=WITHIN)


def test_a_contended_lock_leaves_tasks_idle(truth: Truth) -> None:
    cell = "queueing/four/tokio-console"
    writes = truth.operations(cell)
    rows = truth.rows(cell, "tasks.parquet")
    # fuse3 spawns a task for each request, all in one place.
    ((place, tasks),) = Counter(row["location"] for row in rows).most_common(1)
    assert "fuse3" in place
    assert tasks >= writes
    idle_ns = sum(row["idle_ns"] for row in rows if row["location"] == place)
    assert idle_ns == pytest.approx(writes * JOBS * HELD_NS, rel=WITHIN)


def test_tasks_and_self_wakes_are_exact(truth: Truth) -> None:
    rows = truth.rows("keeping/one/tokio-console", "tasks.parquet")
    assert sum(row["name"] == "planted_task" for row in rows) == TASKS
    (waker,) = (row for row in rows if row["name"] == "wake_itself")
    assert (waker["self_wakes"], waker["wakes"], waker["polls"]) == (SELF_WAKES, SELF_WAKES, SELF_WAKES + 1)
    assert "self-wake-storm" in waker["lints"]


def test_nothing_planted_names_no_mover(shared_workspace: Workspace) -> None:
    # Both sides block alike: without that, perf-offcpu has nothing to show of either.
    shared_workspace.experiment("nothing", NOTHING)
    profilers = ("trace-chrome", "trace-flame", "tokio-console", "jemalloc-heap", "perf-oncpu", "perf-offcpu")
    base = "results/nothing/diffs/control-vs-baseline/seq"
    shared_workspace.make(*(f"{base}/{profiler}" for profiler in profilers))
    for profiler in profilers:
        folder = shared_workspace.root / base / profiler
        with (folder / "movers.csv").open() as file:
            rows = list(csv.DictReader(file))
        moved = [row for row in rows if row["moved"] != "no"]
        assert rows, profiler
        assert not moved, (profiler, moved)
        assert "0 of" in json.loads((folder / "diff.json").read_text())["note"]
