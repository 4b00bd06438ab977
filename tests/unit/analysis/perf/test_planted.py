"""The planted costs of a real tokio program (tests/golden/make/planted), through every reader of perf and heap dumps.

Slow: cargo compiles tokio, and jemalloc, unless they are in the user's cache from the last time.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from fuselab.analysis.folded import Stacks
from fuselab.analysis.heap.profile import read_heap
from fuselab.analysis.perf.offcpu import read_offcpu
from fuselab.analysis.perf.oncpu import read_oncpu
from fuselab.analysis.symbols.symbolizer import Symbols
from fuselab.profilers import REGISTRY, perf_record

pytestmark = [pytest.mark.slow, pytest.mark.alone]


def time_in(stacks: Stacks, *names: str) -> int:
    return sum(value for stack, value in stacks.items() if all(any(n in f for f in stack) for n in names))


@pytest.fixture(scope="module")
def build(golden: Path) -> Callable[..., Path]:
    """Compile `planted` with features."""
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")

    def build(*features: str) -> Path:
        target = root / "fuselab" / "tests" / "-".join(("planted", *features))
        environment = {
            **os.environ,
            "CARGO_TARGET_DIR": str(target),
            "RUSTFLAGS": "-C force-frame-pointers=yes",
        }
        subprocess.run(
            ["cargo", "build", "--release", "--locked", "--features", ",".join(features)],
            cwd=golden / "make" / "planted", env=environment, check=True, capture_output=True,
        )  # fmt: skip
        return target / "release" / "planted"

    return build


def test_cpu_time_of_inlined_async_functions(build, recorder, symbols: Symbols) -> None:
    data = recorder.record(perf_record.oncpu_record_argv, [str(build()), "burn", "3"])
    oncpu = read_oncpu("perf", data, symbols)
    total = time_in(oncpu.stacks, "planted::light::{{closure}}")
    assert time_in(oncpu.stacks, "planted::heavy::{{closure}}") / total == pytest.approx(0.6, abs=0.05)
    assert time_in(oncpu.stacks, "planted::middle::{{closure}}") / total == pytest.approx(0.9, abs=0.05)
    assert total / oncpu.total_ns > 0.9


def test_time_in_memcpy_belongs_to_the_async_function_that_copies(build, recorder, symbols: Symbols) -> None:
    data = recorder.record(perf_record.oncpu_record_argv, [str(build()), "copy", "2"])
    oncpu = read_oncpu("perf", data, symbols)
    # One function under two names in libc, of which either is found: it is another one for each kind of processor.
    name = next(each for each in ("memmove", "memcpy") if time_in(oncpu.stacks, each))
    copying = time_in(oncpu.stacks, name)
    assert copying > 0.5 * oncpu.total_ns
    assert time_in(oncpu.stacks, "planted::copies::{{closure}}", name) == pytest.approx(copying, rel=0.05)


def test_blocking_sleep_on_a_worker_thread(build, recorder, symbols: Symbols) -> None:
    data = recorder.record(perf_record.offcpu_record_argv, [str(build()), "block", "250"])
    off = read_offcpu("perf", data, symbols, recorder.window_ns)
    asleep = time_in(off.blocked, "planted::blocks_worker::{{closure}}", "nanosleep")
    # 250 x 10 ms, and never shorter; on a busy machine each wakes up later.
    assert 2.5e9 <= asleep < 2.5e9 * 1.05 + off.preempted_ns
    # The other worker has nothing to do all the while.
    assert time_in(off.blocked, "worker::Context::park") == 0
    assert time_in(off.idle, "worker::Context::park") > 0.9 * asleep


@pytest.mark.parametrize("mib", [4, 12, 100])
def test_memory_retained_by_a_named_function(build, tmp_path: Path, symbols: Symbols, mib: int) -> None:
    """A jemalloc inside the program, as tikv-jemallocator's is, writes at its peaks as a preloaded one does."""
    REGISTRY["jemalloc-heap"].equip(tmp_path)
    settings = "prof:true,prof_active:true,prof_final:true,lg_prof_sample:11"
    environment = os.environ | {
        "_RJEM_MALLOC_CONF": f"{settings},prof_prefix:{tmp_path}/heap",
        "LD_PRELOAD": f"{tmp_path}/heap-peaks.so",
    }
    subprocess.run(
        [str(build("jemalloc-profiling")), "hold", str(mib)], input=b"go\n", env=environment, check=True,
        capture_output=True,
    )  # fmt: skip
    dumps = list(tmp_path.glob("*.heap"))
    assert 10 < len(dumps) < 200
    heap = read_heap(dumps, symbols)
    held = time_in(heap.stacks, "planted::retain")
    assert held == pytest.approx(mib * 2**20, rel=0.1)
    assert time_in(heap.stacks, "planted::churn") < 0.1 * held
    assert heap.caveats == ()
