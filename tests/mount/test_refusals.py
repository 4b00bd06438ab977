"""A capture that should have worked and says nothing is refused with the setting to change, on real captures.

The targets are demofs with one thing wrong each, as it happens to whoever describes a filesystem of their own.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from .conftest import Workspace

pytestmark = [pytest.mark.mount, pytest.mark.slow]

WRONG = {
    # SIGUSR1 ends a program that does not know it: no guard is dropped, nothing is written at exit.
    "killed": ("stop: {first: unmount, signal: INT, timeout: 30s}", "stop: {first: signal, signal: USR1}"),
    "stable": ("    rustflags: [--cfg, tokio_unstable]\n", ""),
    "plain": ("    features: [profiling]\n", ""),
    "other-allocator": ("    features: [jemalloc-profiling]\n", ""),
}
"""Target -> what target.yaml of demofs says, and what it says instead."""
EXPERIMENT = """
title: what goes wrong
backend: memory
variants:
  whole: {target: demofs}
  filtered: {target: demofs, env: {RUST_LOG: "demofs=info"}}
  crashing: {target: demofs, options: {inject: crash-after=3000}}
  killed: {target: killed}
  stable: {target: stable}
  plain: {target: plain}
  other-allocator: {target: other-allocator}
workloads:
  small: {fio: {rw: write, bs: 4k, size: 8m, runtime: 4s}}
blocks: 1
profilers: [[trace-chrome, trace-flame], tokio-console, jemalloc-heap, perf-oncpu]
"""
REFUSED = {
    "filtered/tokio-console": ("0 events", "tokio=trace,runtime=trace"),
    "filtered/trace-chrome": ("the log filter lets no span through", "RUST_LOG"),
    "filtered/trace-flame": ("0 bytes", "RUST_LOG must let its spans through"),
    "stable/tokio-console": ("The capture failed: .*--cfg tokio_unstable", "rustflags"),
    "plain/trace-chrome": ("left no file", "features"),
    "other-allocator/jemalloc-heap": ("no heap dumps", "jemalloc-profiling"),
}
"""Cell -> what the reason and the setting to change say."""
CUT = {
    "crashing/trace-chrome": "The capture failed, and is shown as far as it came: .*aborting after 3000 writes",
    "crashing/perf-oncpu": "The capture failed, and is shown as far as it came: .*aborting after 3000 writes",
    "killed/trace-chrome": "target was killed by SIGUSR1.*cut short and read up to the cut",
    "killed/trace-flame": "target was killed by SIGUSR1.*may lack the end",
}


@pytest.fixture(scope="module")
def cells(shared_workspace: Workspace) -> dict[str, dict[str, Any]]:
    """profile.json by `variant/profiler`."""
    room = shared_workspace
    shipped = (room.root / "targets").resolve()
    (room.root / "targets").unlink()
    (room.root / "targets").mkdir()
    (room.root / "targets/demofs").symlink_to(shipped / "demofs")
    text = (shipped / "demofs/target.yaml").read_text()
    for name, (right, wrong) in WRONG.items():
        assert right in text
        (room.root / "targets" / name).mkdir()
        changed = text.replace(right, wrong).replace("name: demofs", f"name: {name}")
        changed = changed.replace("source: .", f"source: {shipped / 'demofs'}")
        (room.root / "targets" / name / "target.yaml").write_text(changed)
    room.experiment("wrong", EXPERIMENT)
    home = room.root / "results/wrong"
    asked = [cell.split("/") for cell in (*REFUSED, *CUT)]
    folders = {
        f"{variant}/{profiler}": home / "processed" / variant / "small" / profiler
        for variant, profiler in asked
    }
    room.make(*(str(folder.relative_to(room.root)) for folder in folders.values()))
    return {cell: _profile(folder) for cell, folder in folders.items()}


def _profile(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "profile.json").read_text())
    pictures = {path.name for path in folder.glob("*.svg")}
    assert bool(pictures) == (found["status"] != "refused"), "a refused capture has no picture"
    return found


@pytest.mark.parametrize("cell", REFUSED)
def test_a_capture_that_says_nothing_is_refused_with_what_to_change(
    cells: dict[str, dict[str, Any]], cell: str
) -> None:
    reason, fix = REFUSED[cell]
    profile = cells[cell]
    assert profile["status"] == "refused"
    _must_say(reason, " ".join(profile["notes"]))
    _must_say(fix, profile["fix"])


@pytest.mark.parametrize("cell", CUT)
def test_what_a_crash_cut_off_is_read_up_to_the_cut_and_marked(
    cells: dict[str, dict[str, Any]], cell: str
) -> None:
    profile = cells[cell]
    assert profile["status"] == "limited"
    assert profile["total"] > 0
    _must_say(CUT[cell], " ".join(profile["notes"]))


PACKAGED = """
title: a program of the distribution
target: bindfs
variants:
  baseline: {}
  other: {env: {A: b}}
workloads:
  small: {fio: {rw: write, bs: 4k, size: 8m, fsync: 64, runtime: 1s}}  # it waits for the disk, and for nothing else
blocks: 1
profilers: [perf-oncpu, perf-offcpu, jemalloc-heap]
"""


def test_a_packaged_program_is_seen_as_far_as_it_goes(workspace: Workspace) -> None:
    """Stacks of a build without frame pointers are marked; its heap is seen through a preloaded jemalloc."""
    workspace.experiment("packaged", PACKAGED)
    home = "results/packaged/processed/baseline/small"
    profilers = ("perf-oncpu", "perf-offcpu", "jemalloc-heap")
    workspace.make(*(f"{home}/{profiler}" for profiler in profilers))
    on_cpu, off_cpu, heap = (_profile(workspace.root / home / profiler) for profiler in profilers)
    assert on_cpu["status"] == off_cpu["status"] == "limited"
    assert "do not strip the binary" in " ".join(on_cpu["notes"])
    # On the CPU the copied stack and the program's own unwind tables make up for frame pointers.
    assert off_cpu["figures"]["whole_stack_share"] < 0.8
    assert "without frame pointers" in " ".join(off_cpu["notes"])
    assert on_cpu["total"] > 0
    assert off_cpu["total"] > 0
    assert heap["status"] in ("ok", "limited")
    assert heap["figures"]["peak_live_bytes"] > 10_000
    assert 0 < heap["figures"]["sampling_error"] < 1


def _must_say(pattern: str, text: str) -> None:
    assert re.search(pattern, text, re.DOTALL), text
