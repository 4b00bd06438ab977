"""Whatever is planted in demofs, the function at fault is in the first three rows of what moved: of real captures, in
the order in which the page has them.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from fuselab.report.arising import arising, by_change

from .conftest import Workspace

pytestmark = [pytest.mark.mount, pytest.mark.slow]

FIRST = 3
# One build for all, that of every profiler: what is looked for is where a change stands, and not how large it is.
FAULTS = """
title: whose doing it is
target: demofs
backend: memory
features: [profiling, jemalloc-profiling]
rustflags: [--cfg, tokio_unstable]
variants:
  nothing: {}
  waiting: {options: {inject: extend-wait=4ms}}
  blocking: {options: {inject: block=4ms}}
  queueing: {options: {inject: lock=4ms}}
  copying: {options: {inject: copy-cpu=600us}}
  summing: {options: {inject: checksum-cpu=600us}}
  keeping: {options: {inject: heap=64MiB}}
workloads: {two: {fio: {rw: write, bs: 64k, size: 4m, runtime: 2s, numjobs: 2}}}
blocks: 1
profilers: [trace-chrome, perf-oncpu, perf-offcpu, jemalloc-heap]
"""
AT_FAULT = {
    ("waiting", "trace-chrome"): "extend_file_size",
    ("queueing", "trace-chrome"): "contend_lock",
    ("blocking", "perf-offcpu"): "block_thread",
    ("copying", "perf-oncpu"): "burn_copy",
    ("summing", "perf-oncpu"): "burn_checksum",
    ("keeping", "jemalloc-heap"): "plant_heap",
}


@pytest.fixture(scope="module")
def diffs(shared_workspace: Workspace) -> Path:
    shared_workspace.experiment("faults", FAULTS)
    home = "results/faults/diffs"
    shared_workspace.make(*(f"{home}/{fault}-vs-nothing/two/{profiler}" for fault, profiler in AT_FAULT))
    return shared_workspace.root / home


@pytest.mark.parametrize(("fault", "profiler"), AT_FAULT)
def test_the_function_at_fault_is_in_the_first_three_rows(diffs: Path, fault: str, profiler: str) -> None:
    folder, programs = diffs / f"{fault}-vs-nothing/two/{profiler}", {"demofs"}
    rows = by_change(pd.read_csv(folder / "movers.csv"), programs, arising(folder / "diff.folded", programs))
    first = list(rows["function"])[:FIRST]
    assert any(AT_FAULT[fault, profiler] in name for name in first), list(rows["function"])[:12]
