"""A heap profile shows the most that was live, whatever is left at the exit: within 10 % of what was planted."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from fuselab.analysis.heap.profile import Heap, read_heap
from fuselab.analysis.symbols.elf import read_image
from fuselab.analysis.symbols.symbolizer import Symbols
from fuselab.errors import ProfileError
from fuselab.profilers import REGISTRY
from fuselab.targets.model import fill

MIB = 2**20
WITHIN = 0.1
HEAP = REGISTRY["jemalloc-heap"]
Look = Callable[..., int]


@pytest.fixture(scope="module")
def heaps(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `heaps` (C), `heapspp` (C++) and `heaps_rs` (Rust)."""
    folder, source = tmp_path_factory.mktemp("heaps"), checkout / "tests" / "programs"
    flags = ["-O2", "-g", "-fno-omit-frame-pointer", "-fno-optimize-sibling-calls", "-Wall"]
    for argv in (
        ["gcc", *flags, str(source / "heaps.c"), "-o", str(folder / "heaps"), "-lpthread"],
        ["g++", *flags, str(source / "heaps.cpp"), "-o", str(folder / "heapspp")],
        ["rustc", "--edition", "2024", "-O", "-g", str(source / "heaps.rs"), "-o", str(folder / "heaps_rs")],
    ):
        subprocess.run(argv, check=True, capture_output=True)
    return folder


@pytest.fixture
def look(tmp_path: Path) -> Look:
    """Runs a program as a capture does, with the files in `tmp_path`: the pid that it says."""
    from fuselab.targets.model import ProfilerSupport

    def look(*argv: object, more: str = "", peaks: bool = True) -> int:
        HEAP.equip(tmp_path)
        asked = HEAP.environment(ProfilerSupport(HEAP.name))
        env = {
            name: fill(text, {"capture": str(tmp_path)}) + (more if name == "MALLOC_CONF" else "")
            for name, text in asked.items()
        }
        if not peaks:
            env["LD_PRELOAD"] = "libjemalloc.so.2"
        done = subprocess.run(
            [str(word) for word in argv], env=os.environ | env, check=True, capture_output=True, text=True
        )
        assert done.stderr == ""
        return int(done.stdout.split()[0])

    return look


def live_in(heap: Heap, function: str) -> int:
    return sum(value for stack, value in heap.stacks.items() if any(function in name for name in stack))


@pytest.mark.parametrize("mib", [1, 10, 100])
@pytest.mark.parametrize(
    ("program", "block", "beside", "function"),
    [
        (("heaps", "hold"), 4096, 0, "hold"),
        (("heaps", "brief"), MIB, 0, "hold"),
        (("heaps", "late"), 4096, 0, "hold_late"),
        (("heaps", "threads"), 4096, 0, "hold"),
        (("heapspp",), 4096, 48, "keep_strings"),
        (("heaps_rs",), 4096, 24, "keep_vectors"),
    ],
)
def test_a_peak_is_what_was_planted(
    heaps: Path, look: Look, tmp_path: Path, symbols: Symbols,
    program: Sequence[str], block: int, beside: int, function: str, mib: int,
) -> None:  # fmt: skip
    """`beside`: what a list or a vector needs for each of its blocks."""
    pid = look(heaps / program[0], *program[1:], mib, block)
    heap = read_heap(tmp_path.iterdir(), symbols, pid)
    truth = mib * MIB * (block + beside) / block
    assert live_in(heap, function) == pytest.approx(truth, rel=WITHIN)
    assert heap.peak.live_bytes == pytest.approx(truth, rel=WITHIN)
    assert heap.caveats == ()
    assert heap.last_bytes < WITHIN * heap.peak.live_bytes


@pytest.mark.parametrize("mib", [50, 100])
def test_a_large_block_is_what_was_asked_for(
    heaps: Path, look: Look, tmp_path: Path, symbols: Symbols, mib: int
) -> None:
    """jemalloc rounds these up to 56 and 112 MiB, and counts that."""
    look(heaps / "heaps", "hold", mib, mib * MIB)
    assert live_in(read_heap(tmp_path.iterdir(), symbols), "hold") == pytest.approx(mib * MIB, rel=0.01)


def test_small_blocks_within_their_error(heaps: Path, look: Look, tmp_path: Path, symbols: Symbols) -> None:
    look(heaps / "heaps", "hold", 10, 128)
    heap = read_heap(tmp_path.iterdir(), symbols)
    assert live_in(heap, "hold") == pytest.approx(10 * MIB, rel=WITHIN)
    assert heap.relative_error < 0.015


def test_dumps_are_few_however_large_the_heap(heaps: Path, look: Look, tmp_path: Path) -> None:
    """jemalloc's own prof_gdump writes 25,600 for these 100 MiB, of 200 MB."""
    look(heaps / "heaps", "hold", 100, 4096)
    dumps = list(tmp_path.glob("*.heap"))
    assert 100 < len(dumps) < 200
    assert sum(dump.stat().st_size for dump in dumps) < 2 * MIB


def test_the_pool_of_libstdcxx_is_no_memory_of_the_programs(
    heaps: Path, look: Look, tmp_path: Path, symbols: Symbols
) -> None:
    look(heaps / "heaps", "hold", 1, 4096)
    last = max(tmp_path.glob("*.heap"), key=lambda file: int(file.name.split(".")[2]))
    assert re.search(r"t\*: 1: 81920 ", last.read_text()), "72,704 bytes, rounded up: the pool is in the dump"
    heap = read_heap(tmp_path.iterdir(), symbols)
    assert heap.last_bytes < 10_000, "the buffer of its standard output"
    assert not any("libstdc++" in name for row in heap.memory for name in row.stack)


def test_a_dump_from_the_exit_alone_is_refused_with_the_mend(
    heaps: Path, look: Look, tmp_path: Path, symbols: Symbols
) -> None:
    look(heaps / "heaps", "hold", 10, 4096, peaks=False)
    with pytest.raises(ProfileError, match="only the dump at the exit") as refusal:
        read_heap(tmp_path.iterdir(), symbols)
    assert "lg_prof_interval:20" in refusal.value.fix


def test_dumps_at_intervals_alone_are_limited(
    heaps: Path, look: Look, tmp_path: Path, symbols: Symbols
) -> None:
    look(heaps / "heaps", "hold", 10, 4096, peaks=False, more=",lg_prof_interval:22")
    heap = read_heap(tmp_path.iterdir(), symbols)
    assert "a peak between two of them is missed" in heap.caveats[0]


def test_a_target_that_is_killed_has_its_peak_and_no_end(
    heaps: Path, look: Look, tmp_path: Path, symbols: Symbols
) -> None:
    look(heaps / "heaps", "exit", 10, MIB)
    heap = read_heap(tmp_path.iterdir(), symbols)
    assert live_in(heap, "hold") == pytest.approx(10 * MIB, rel=WITHIN)
    assert "what was live at the end is not" in heap.caveats[0]
    assert not heap.final


def test_a_fork_counts_what_it_has_of_its_own(
    heaps: Path, look: Look, tmp_path: Path, symbols: Symbols
) -> None:
    pid = look(heaps / "heaps", "fork", 10, 4096)
    heap = read_heap(tmp_path.iterdir(), symbols, pid)
    assert live_in(heap, "hold_in_child") == pytest.approx(5 * MIB, rel=WITHIN)
    assert heap.peak.live_bytes == pytest.approx(10 * MIB, rel=WITHIN)
    assert {point.pid for point in heap.timeline} > {pid}
    assert heap.remarks == (
        "2 processes of the target held memory: added up. What 1 of them had from the process that forked them is "
        "counted once, there.",
    )  # fmt: skip


def test_a_parent_that_ends_in_the_same_tick_of_the_clock_as_its_child_was_there(
    heaps: Path, look: Look, tmp_path: Path, symbols: Symbols
) -> None:
    """Times of files are the kernel's ticks: which of two is older is not known."""
    pid = look(heaps / "heaps", "fork", 10, 4096)
    last = max(file.stat().st_mtime_ns for file in tmp_path.glob("*.heap"))
    for dump in tmp_path.glob("*.heap"):
        if int(dump.name.split(".")[1]) != pid or ".f." in dump.name:
            os.utime(dump, ns=(last, last))
    heap = read_heap(tmp_path.iterdir(), symbols, pid)
    assert heap.peak.live_bytes == pytest.approx(10 * MIB, rel=WITHIN)


def test_a_server_that_leaves_no_dump_is_seen_by_its_family(
    heaps: Path, look: Look, tmp_path: Path, symbols: Symbols
) -> None:
    """A worker may hold /dev/fuse, and end without a dump of its own."""
    pid = look(heaps / "heaps", "fork", 10, 4096)
    for helper in ("sort", "cat"):
        look("sh", "-c", f"echo 1; {helper} /etc/passwd >/dev/null")
    heap = read_heap(tmp_path.iterdir(), symbols, pid=1, program=heaps / "heaps")
    assert heap.peak.live_bytes == pytest.approx(10 * MIB, rel=WITHIN)
    assert heap.caveats[0].startswith("No dump of the process that serves the mount while it ran")
    assert read_heap(tmp_path.iterdir(), symbols, pid=1, family=[pid]).pid == pid
    with pytest.raises(ProfileError, match=r"no heap dump of the process that serves the mount \(1\)"):
        read_heap(tmp_path.iterdir(), symbols, pid=1)


def test_a_mount_for_the_preparation_is_another_process(
    heaps: Path, look: Look, tmp_path: Path, symbols: Symbols
) -> None:
    program = heaps / "heaps"
    look(program, "hold", 10, MIB)
    measured = look(program, "hold", 2, MIB // 8)
    heap = read_heap(tmp_path.iterdir(), symbols, measured, [measured], program)
    assert heap.peak.live_bytes == pytest.approx(2 * MIB, rel=WITHIN)
    assert {point.pid for point in heap.timeline} == {measured}


def test_what_a_process_was_before_it_became_another_program_is_not_the_targets(
    heaps: Path, look: Look, tmp_path: Path, symbols: Symbols
) -> None:
    """A wrapper that ends in exec leaves dumps under the same pid, with higher numbers than the program's."""
    program = heaps / "heaps"
    pid = look(
        "python3",
        "-c",
        f"import os; x = b'y' * {50 * MIB}; os.execv('{program}', ['heaps', 'hold', '1', '{MIB // 4}'])",
    )
    numbers = [int(file.name.split(".")[2]) for file in tmp_path.glob(f"*.{pid}.*.heap")]
    assert max(numbers) > 10, "dumps of the wrapper are left"
    assert read_heap(tmp_path.iterdir(), symbols, pid).peak.live_bytes == pytest.approx(MIB, rel=WITHIN)


def test_a_dump_that_is_cut_is_left_out_and_said(
    heaps: Path, look: Look, tmp_path: Path, symbols: Symbols
) -> None:
    look(heaps / "heaps", "hold", 10, 4096)
    whole = read_heap(tmp_path.iterdir(), symbols)
    victims = sorted(tmp_path.glob("*.heap"))[:3]
    victims[0].write_text("")
    victims[1].write_text(victims[1].read_text()[:200])
    heap = read_heap(tmp_path.iterdir(), symbols)
    assert len(heap.timeline) == len(whole.timeline) - 2
    assert heap.caveats[0].startswith("2 dumps cannot be read")


def test_a_plugin_at_the_address_of_another_is_named_by_its_own_dumps(
    checkout: Path, look: Look, tmp_path: Path, symbols: Symbols
) -> None:
    source = checkout / "tests" / "programs" / "plugins"
    flags = ["gcc", "-O2", "-g", "-fno-omit-frame-pointer", "-fPIC"]
    argv = []
    for name in ("alpha", "beta"):
        library = tmp_path / f"{name}.so"
        subprocess.run([*flags, "-shared", f"-DNAME={name}", source / "plugin.c", "-o", library], check=True)
        argv += [library, name]
    subprocess.run([*flags, source / "host.c", "-o", tmp_path / "host"], check=True)
    script = f"set -- $({' '.join(map(str, [tmp_path / 'host', *argv]))}); [ $1 = $2 ] && echo 1"
    look("sh", "-c", script)
    heap = read_heap(tmp_path.iterdir(), symbols)
    last = {
        name: sum(row.last_bytes for row in heap.memory if name in row.stack) for name in ("alpha", "beta")
    }
    # As jeprof has it of the last dump: malloc rounds 10,000 bytes up to 10,240.
    assert last == {"alpha": 0.0, "beta": pytest.approx(400 * 10240, rel=0.05)}
    seen = {row.stack[-1]: max(row.first_bytes, row.peak_bytes) for row in heap.memory}
    assert seen["beta"] > 0


def test_a_program_that_is_another_by_now_names_nothing(
    heaps: Path, look: Look, tmp_path: Path, symbols: Symbols
) -> None:
    shutil.copy(heaps / "heaps", program := tmp_path / "program")
    noted = read_image(program).build_id
    look(program, "hold", 1, MIB // 8)
    shutil.copy(heaps / "heapspp", program)
    heap = read_heap(tmp_path.iterdir(), symbols, build_ids={str(program): noted})
    assert f"not {noted}" in heap.quality.problems[str(program)]
    assert live_in(heap, "[program]") == pytest.approx(MIB, rel=WITHIN)
