"""The function at fault stands in the first three rows of the movers, of real captures of programs in four languages.

What is planted does its work through a library, below callers that hand the whole change up, beside functions that do
as much on both sides.
"""

from __future__ import annotations

import os
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from tests.unit.analysis.conftest import Recorder

from fuselab.analysis.folded import Folded, Stacks
from fuselab.analysis.heap.profile import read_heap
from fuselab.analysis.movers import Side, find_movers
from fuselab.analysis.perf.offcpu import read_offcpu
from fuselab.analysis.perf.oncpu import read_oncpu
from fuselab.analysis.symbols.symbolizer import Symbols
from fuselab.profilers import REGISTRY, perf_record
from fuselab.report.arising import arising, by_change
from fuselab.targets.model import ProfilerSupport, fill

pytestmark = pytest.mark.slow

MS, BLOCKS = 10, 64
OPERATIONS = 60
FIRST = 3
AT_FAULT = {"c": "at_fault", "cpp": "Chunks::at_fault", "rs": "Chunks::at_fault", "go": "atFault"}


@pytest.fixture(scope="session")
def faulty(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, source = tmp_path_factory.mktemp("faulty"), checkout / "tests" / "programs" / "faulty"
    flags = ["-O1", "-g", "-fno-omit-frame-pointer", "-fno-optimize-sibling-calls"]
    rust = ["rustc", "--edition", "2024", "-O", "-g", "-C", "force-frame-pointers=yes"]
    for suffix, argv in {
        "c": ["gcc", *flags], "cpp": ["g++", *flags], "rs": rust, "go": ["go", "build"],
    }.items():  # fmt: skip
        subprocess.run(
            [*argv, "-o", str(folder / f"faulty-{suffix}"), str(source.with_suffix(f".{suffix}"))],
            check=True, capture_output=True, env={**os.environ, "GO111MODULE": "off", "GOFLAGS": ""},
        )  # fmt: skip
    return folder


Capture = Callable[[str, str, int], Stacks]


@pytest.fixture
def oncpu(faulty: Path, tmp_path: Path, symbols: Symbols) -> Capture:
    def capture(language: str, fault: str, amount: int) -> Stacks:
        data = _recorder(tmp_path, fault).record(
            perf_record.oncpu_record_argv, _argv(faulty, language, fault, amount)
        )
        return read_oncpu("perf", data, symbols).stacks

    return capture


@pytest.fixture
def offcpu(faulty: Path, tmp_path: Path, symbols: Symbols) -> Capture:
    def capture(language: str, fault: str, amount: int) -> Stacks:
        recorder = _recorder(tmp_path, fault)
        data = recorder.record(perf_record.offcpu_record_argv, _argv(faulty, language, fault, amount))
        return read_offcpu("perf", data, symbols, recorder.window_ns).blocked

    return capture


@pytest.fixture
def heap(faulty: Path, tmp_path: Path, symbols: Symbols) -> Capture:
    def capture(language: str, fault: str, amount: int) -> Stacks:
        profiler, folder = REGISTRY["jemalloc-heap"], tmp_path / fault
        folder.mkdir()
        profiler.equip(folder)
        asked = profiler.environment(ProfilerSupport(profiler.name))
        env = {name: fill(text, {"capture": str(folder)}) for name, text in asked.items()}
        argv = _argv(faulty, language, fault, amount)
        subprocess.run(argv, env=os.environ | env, check=True, capture_output=True, input="go\n", text=True)
        return read_heap(folder.glob("*.heap"), symbols).stacks

    return capture


def _recorder(folder: Path, fault: str) -> Recorder:
    (folder / fault).mkdir()
    return Recorder(folder / fault)


def _argv(folder: Path, language: str, fault: str, amount: int) -> list[str]:
    return [str(folder / f"faulty-{language}"), fault, str(amount)]


def first_rows(
    tmp_path: Path, capture: Capture, language: str, fault: str, amount: int, unit: str
) -> list[str]:
    """Of the table that a reader sees, in its order."""
    sides = [Folded(capture(language, each, amount), unit) for each in ("none", fault)]
    before, after = (Counter(side.stacks) for side in sides)
    folded = tmp_path / "diff.folded"
    folded.write_text(
        "".join(f"{';'.join(stack)} {before[stack]} {after[stack]}\n" for stack in sorted(before | after))
    )
    baseline, variant = (Side([side], [OPERATIONS], [0]) for side in sides)
    rows = find_movers(baseline, variant, "per operation" if unit.startswith("ns") else "as it is").rows
    table = pd.DataFrame([vars(row) for row in rows])
    programs = {f"faulty-{language}"}
    return [str(name) for name in by_change(table, programs, arising(folded, programs))["function"]]


@pytest.mark.parametrize("language", ["c", "cpp", "rs", "go"])
def test_what_burns(oncpu: Capture, tmp_path: Path, language: str) -> None:
    rows = first_rows(tmp_path, oncpu, language, "burn", MS, "ns on CPU")
    assert any(AT_FAULT[language] in name for name in rows[:FIRST]), rows[:12]


@pytest.mark.parametrize("language", ["c", "cpp", "rs"])
def test_what_waits(offcpu: Capture, tmp_path: Path, language: str) -> None:
    rows = first_rows(tmp_path, offcpu, language, "wait", MS, "ns off CPU")
    assert any(AT_FAULT[language] in name for name in rows[:FIRST]), rows[:12]


@pytest.mark.parametrize("language", ["c", "cpp", "rs"])
def test_what_leaks(heap: Capture, tmp_path: Path, language: str) -> None:
    rows = first_rows(tmp_path, heap, language, "leak", BLOCKS, "bytes")
    assert any(AT_FAULT[language] in name for name in rows[:FIRST]), rows[:12]
