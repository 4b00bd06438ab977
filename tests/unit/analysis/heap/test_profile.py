"""Retained memory goes to the function that retains it, as many bytes as jeprof says, and with its error."""

import itertools
import math
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from fuselab.analysis.heap import allocator, jeprof
from fuselab.analysis.heap.dump import parse_name, read_dump, unbias
from fuselab.analysis.heap.profile import Heap, read_heap
from fuselab.analysis.symbols.symbolizer import Symbols
from fuselab.errors import ProfileError

MIB = 2**20
POOL_BYTES = 82494
"""What jeprof says of a program that allocates nothing, with a sample every 16 KiB: libstdc++'s pool."""
# What the acceptance test takes for an allocator's leaf in a folded line.
ALLOCATOR_LEAF = re.compile(
    r"^(?:.*;)?(?:prof_|_?r?je_|__rust_alloc|__rust_realloc|malloc|calloc)[^;]* \d+$", re.M
)


def folded(heap: Heap) -> str:
    return "\n".join(f"{';'.join(stack)} {value}" for stack, value in heap.stacks.items())


@pytest.fixture(scope="module")
def keeper(programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Dumps of a C program that keeps 64 MiB, Debian's jemalloc being preloaded."""
    folder = tmp_path_factory.mktemp("keeper")
    settings = "prof:true,prof_active:true,prof_final:true,lg_prof_interval:25,lg_prof_sample:14"
    environment = {
        **os.environ,
        "LD_PRELOAD": "libjemalloc.so.2",
        "MALLOC_CONF": f"{settings},prof_prefix:{folder}/heap",
    }
    subprocess.run([str(programs / "keeper"), "64"], env=environment, check=True, capture_output=True)
    return folder


def test_planted_bytes_within_their_own_error(keeper: Path, symbols: Symbols) -> None:
    heap = read_heap(keeper.iterdir(), symbols)
    kept = sum(value for stack, value in heap.stacks.items() if "keep_block" in stack)
    assert heap.relative_error == pytest.approx(0.0145, abs=0.001)
    assert kept == pytest.approx(64 * MIB, rel=4 * heap.relative_error)
    # The fullest dump may hold a block that is about to be freed, never more.
    dropped = sum(value for stack, value in heap.stacks.items() if "drop_block" in stack)
    assert dropped < 0.005 * kept
    assert heap.quality.whole_stack_share > 0.9


def test_live_bytes_grow_from_dump_to_dump(keeper: Path, symbols: Symbols) -> None:
    heap = read_heap(keeper.iterdir(), symbols)
    assert [point.seq for point in heap.timeline] == list(range(len(heap.timeline)))
    assert heap.timeline[-1].kind == "final"
    live = [point.live_bytes for point in heap.timeline]
    # A block that is about to be freed may be among the samples of one dump.
    assert all(later > 0.97 * earlier for earlier, later in itertools.pairwise(live))
    growth = {row.stack[-1]: row.growth_bytes for row in heap.memory}
    assert growth["keep_block"] == pytest.approx(live[-1] - live[0], rel=0.01)


def test_total_is_jeprofs_to_the_byte(golden: Path, keeper: Path, programs: Path, symbols: Symbols) -> None:
    last = max(keeper.iterdir(), key=lambda file: parse_name(file).seq)  # type: ignore[union-attr]
    done = subprocess.run(
        ["jeprof", "--text", "--show_bytes", str(programs / "keeper"), str(last)],
        capture_output=True,
        text=True,
    )
    total = int(re.search(r"Total: (\d+) B", done.stdout)[1])  # type: ignore[index]
    heap = read_heap(keeper.iterdir(), symbols)
    # jeprof counts the pool of libstdc++, which jemalloc brings along.
    assert int(heap.timeline[-1].live_bytes) + POOL_BYTES == pytest.approx(total, abs=1)
    # What jeprof said of the last dump when it was taken (tests/golden/heap/README.md).
    golden_heap = read_heap((golden / "heap").iterdir(), symbols)
    assert int(golden_heap.timeline[-1].live_bytes) == 69989423


def test_rounding_the_stacks_keeps_the_total(keeper: Path, symbols: Symbols) -> None:
    heap = read_heap(keeper.iterdir(), symbols)
    assert sum(heap.stacks.values()) == pytest.approx(heap.peak.live_bytes, abs=len(heap.stacks))


def test_no_leaf_is_the_allocators(keeper: Path, symbols: Symbols) -> None:
    assert not ALLOCATOR_LEAF.search(folded(read_heap(keeper.iterdir(), symbols)))


@pytest.mark.parametrize(
    ("mib", "lg_sample", "relative"),
    [(64, 21, 0.18), (64, 14, 0.014)],
)
def test_sampling_error_follows_from_the_counts(mib: int, lg_sample: int, relative: float) -> None:
    """64 MiB in 4 KiB blocks: the standard errors that jemalloc's sampling leaves."""
    mean = 2**lg_sample
    objects = round(mib * 256 * -math.expm1(-4096 / mean))
    estimate = unbias(objects, objects * 4096, mean)
    assert estimate.bytes == pytest.approx(mib * MIB, rel=0.02)
    assert estimate.sd_bytes / estimate.bytes == pytest.approx(relative, rel=0.05)


def test_large_objects_are_counted_exactly() -> None:
    estimate = unbias(3, 3 * 64 * MIB, 2**14)
    assert (estimate.bytes, estimate.sd_bytes) == (3 * 64 * MIB, 0.0)
    assert unbias(0, 0, 2**14).bytes == 0.0


def test_a_dump_is_read_as_written(golden: Path) -> None:
    name = parse_name(golden / "heap" / "p.27415.5.f.heap")
    assert name
    assert (name.pid, name.seq, name.kind) == (27415, 5, "final")
    dump = read_dump(name)
    assert dump.mean_sample_bytes == 2**16
    # Its two stacks; the sum that it begins with counts one object more, and jeprof passes over it too.
    assert sorted(dump.stacks.values()) == [(1, 132190), (1033, 4232421)]
    assert "/tmp/fuselab-golden/planted-heap" in {mapping.module for mapping in dump.mappings}
    assert parse_name(golden / "heap" / "README.md") is None


@pytest.mark.parametrize(
    ("stack", "left"),
    [
        (
            ("main", "planted::retain", "alloc::boxed::Box<T>::new", "alloc::alloc::exchange_malloc",
             "<alloc::alloc::Global as core::alloc::Allocator>::allocate", "alloc::alloc::alloc",
             "__rustc::__rust_alloc", "_rjem_malloc", "imalloc_body", "prof_alloc_prep", "prof_backtrace_impl"),
            ("main", "planted::retain"),
        ),
        (("main", "app::grow", "alloc::raw_vec::RawVec<T, A>::grow_one", "alloc::raw_vec::finish_grow",
          "__rust_realloc"), ("main", "app::grow")),
        (("main", "app::Store::put", "operator new", "malloc", "prof_backtrace"), ("main", "app::Store::put")),
        (("main", "<tikv_jemallocator::Jemalloc as core::alloc::global::GlobalAlloc>::alloc", "je_malloc"), ("main",)),
        (("main", "hold", "calloc"), ("main", "hold")),
        # A collection is the program's choice: it stays.
        (("main", "alloc::vec::Vec<T, A>::push", "alloc::raw_vec::RawVecInner<A>::reserve"),
         ("main", "alloc::vec::Vec<T, A>::push")),
        (("je_malloc_init", "prof_tdata_init"), allocator.NOTHING_LEFT),
    ],
)  # fmt: skip
def test_allocator_frames_go(stack: tuple[str, ...], left: tuple[str, ...]) -> None:
    assert allocator.trim(stack) == left
    assert not ALLOCATOR_LEAF.search(f"{';'.join(allocator.trim(stack))} 1")


def test_no_dumps_say_why(tmp_path: Path, symbols: Symbols) -> None:
    with pytest.raises(ProfileError, match="no heap dumps"):
        read_heap(tmp_path.iterdir(), symbols)
    log = "<jemalloc>: Invalid conf pair: prof:true\n<jemalloc>: Invalid conf pair: prof_final:true\n"
    with pytest.raises(ProfileError, match="no profiling compiled in") as refusal:
        read_heap(tmp_path.iterdir(), symbols, log=log)
    assert "jemalloc-profiling" in refusal.value.fix


def test_a_missing_final_dump_is_refused_with_its_cause(golden: Path, symbols: Symbols) -> None:
    first = [golden / "heap" / "p.27415.0.i0.heap"]
    with pytest.raises(ProfileError, match="killed or left through _exit") as refusal:
        read_heap(first, symbols)
    assert "stop signal" in refusal.value.fix


@pytest.mark.parametrize(("kept", "said"), [(0, "is empty"), (300, "cut short"), (4, "does not begin")])
def test_a_cut_dump_is_refused(golden: Path, tmp_path: Path, symbols: Symbols, kept: int, said: str) -> None:
    text = (golden / "heap" / "p.27415.5.f.heap").read_text()
    (tmp_path / "p.27415.5.f.heap").write_text(text[:kept])
    with pytest.raises(ProfileError, match=said):
        read_heap(tmp_path.iterdir(), symbols)


def test_dumps_without_a_single_sample_are_refused(golden: Path, tmp_path: Path, symbols: Symbols) -> None:
    text = (golden / "heap" / "p.27415.5.f.heap").read_text()
    maps = text[text.index("MAPPED_LIBRARIES") :]
    (tmp_path / "p.1.0.m0.heap").write_text(f"heap_v2/65536\n  t*: 0: 0 [0: 0]\n\n{maps}")
    with pytest.raises(ProfileError, match="no dump holds") as refusal:
        read_heap(tmp_path.iterdir(), symbols)
    assert "lg_prof_sample" in refusal.value.fix


def test_the_process_that_dumped_most_is_meant_unless_said(
    golden: Path, tmp_path: Path, symbols: Symbols
) -> None:
    shutil.copytree(golden / "heap", tmp_path, dirs_exist_ok=True)
    for number, kind in ((0, "i0"), (5, "f")):
        shutil.copy(
            golden / "heap" / f"p.27415.{number}.{kind}.heap", tmp_path / f"p.99.{number}.{kind}.heap"
        )
    shutil.copy(golden / "heap" / "p.27415.0.i0.heap", tmp_path / "p.27415.1.i1.heap")
    assert read_heap(tmp_path.iterdir(), symbols).pid == 27415
    assert read_heap(tmp_path.iterdir(), symbols, pid=99).pid == 99
    with pytest.raises(ProfileError, match=r"no heap dump of the process that serves the mount \(7\)"):
        read_heap(tmp_path.iterdir(), symbols, pid=7)


def test_jeprof_reads_our_names_and_finds_the_same_bytes(
    keeper: Path, tmp_path: Path, symbols: Symbols
) -> None:
    heap = read_heap(keeper.iterdir(), symbols)
    profile = tmp_path / "named.heap"
    jeprof.write_symbolised(heap, profile)
    text = jeprof.text("jeprof", profile)
    assert f"Total: {int(heap.peak.live_bytes)} B" in text
    kept = sum(value for stack, value in heap.stacks.items() if stack[-1] == "keep_block")
    flat = {line.split()[-1]: int(line.split()[0]) for line in text.splitlines() if "%" in line}
    assert flat["keep_block"] == pytest.approx(kept, abs=1)
    assert not any(re.match("prof_|_?r?je_|malloc", name) for name in flat)
    picture = jeprof.graph("jeprof", profile, "svg").decode()
    assert "keep_block" in picture
    # A size of its own, so that it is shown whole where no script runs.
    assert re.search(r'<svg width="\d+pt" height="\d+pt"\s+viewBox="0', picture)


def test_jeprof_keeps_rust_generics(tmp_path: Path) -> None:
    from dataclasses import replace

    from fuselab.analysis.heap.profile import HeapPoint, Sample
    from fuselab.analysis.quality import Quality

    name = "<demofs::meta::Sqlite<T> as demofs::meta::Store>::stat(--x)"
    heap = Heap(
        {}, (), (HeapPoint(1, 0, "final", 0, 0.0, 0.0, 0.0),), (Sample(("main", name), 4, 4 * MIB),), 2**14, 1, True,
        Quality(1.0, 1.0),
    )  # fmt: skip
    jeprof.write_symbolised(heap, tmp_path / "a")
    assert name in jeprof.text("jeprof", tmp_path / "a")
    assert b"&lt;T&gt;" in jeprof.graph("jeprof", tmp_path / "a", "svg")
    assert jeprof.graph("jeprof", tmp_path / "a", "pdf").startswith(b"%PDF-")
    more = replace(heap, samples=(Sample(("main", name), 4, 4 * MIB), Sample(("main", "other"), 1, 8 * MIB)))
    jeprof.write_symbolised(more, tmp_path / "b")
    grown = jeprof.text("jeprof", tmp_path / "b", base=tmp_path / "a")
    assert f"Total: {8 * MIB} B" in grown


def test_jeprofs_failure_is_a_reason(tmp_path: Path) -> None:
    (tmp_path / "bad").write_text("--- symbol\n---\nnothing\n")
    with pytest.raises(ProfileError, match="jeprof failed"):
        jeprof.text("jeprof", tmp_path / "bad")
