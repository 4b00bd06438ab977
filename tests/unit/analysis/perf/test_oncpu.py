"""CPU time goes to the functions that used it, though the compiler inlined them into others."""

import math
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from fuselab.analysis.folded import Stacks
from fuselab.analysis.perf import complaints, script, stacks
from fuselab.analysis.perf.mappings import read_modules
from fuselab.analysis.perf.oncpu import read_oncpu
from fuselab.analysis.perf.stack_tops import read_stack_tops
from fuselab.analysis.perf.stacks import RawStack
from fuselab.analysis.quality import UNWIND_TABLES, Quality, is_whole
from fuselab.analysis.symbols.elf import read_image
from fuselab.analysis.symbols.labels import thread_frame
from fuselab.analysis.symbols.maps import Place
from fuselab.analysis.symbols.symbolizer import Symbols
from fuselab.errors import ProfileError
from fuselab.profilers import perf_record


def shares(stacks: Stacks, names: list[str]) -> dict[str, float]:
    """Share of the time whose innermost named function is each."""
    total = dict.fromkeys(names, 0)
    for stack, value in stacks.items():
        total[next((name for frame in reversed(stack) for name in names if name in frame), names[0])] += value
    return {name: value / sum(stacks.values()) for name, value in total.items()}


def held(share: float, samples: int) -> object:
    """A planted share as `samples` can show it: four standard errors."""
    return pytest.approx(share, abs=4 * math.sqrt(share * (1 - share) / samples))


@pytest.mark.alone
def test_planted_shares_of_inlined_async_functions(oncpu_data: Path, symbols: Symbols) -> None:
    oncpu = read_oncpu("perf", oncpu_data, symbols)
    found = shares(oncpu.stacks, ["heavy::{{closure}}", "middle::{{closure}}", "light::{{closure}}"])
    # About 1000 where nothing else runs: 6 points of 60.
    assert oncpu.samples > 200
    assert found["heavy::{{closure}}"] == held(0.6, oncpu.samples)
    assert found["middle::{{closure}}"] == held(0.3, oncpu.samples)
    assert found["light::{{closure}}"] == held(0.1, oncpu.samples)


def test_quality_stands_beside_the_stacks(oncpu_data: Path, symbols: Symbols) -> None:
    oncpu = read_oncpu("perf", oncpu_data, symbols)
    assert oncpu.event.startswith("cpu-clock")
    assert oncpu.lost == 0
    assert oncpu.quality.whole_stack_share > 0.95
    assert oncpu.quality.named_frame_share > 0.95
    assert oncpu.quality.limits() == ()
    assert oncpu.total_ns == sum(oncpu.stacks.values())
    # Periods are time, of 999 Hz or longer where the clock was late; one thread cannot have used more than the window.
    assert 0.99e9 / 999 * oncpu.samples < oncpu.total_ns < 1.1 * (oncpu.end_ns - oncpu.start_ns)


@pytest.mark.alone
def test_time_in_libcs_memcpy_belongs_to_its_caller(programs: Path, recorder, symbols: Symbols) -> None:
    """libc keeps no frame pointers: a walk along them passes over the function that called memcpy."""
    oncpu = read_oncpu(
        "perf", recorder.record(perf_record.oncpu_record_argv, [str(programs / "copies"), "0.5"]), symbols
    )
    copying = {stack: value for stack, value in oncpu.stacks.items() if re.search("mem(cpy|move)", stack[-1])}
    assert sum(copying.values()) > 0.5 * oncpu.total_ns
    found = shares(copying, ["nobody", "copies_much", "copies_little"])
    assert found["copies_much"] == pytest.approx(0.75, abs=0.08)
    assert found["copies_little"] == pytest.approx(0.25, abs=0.08)


def test_modules_are_known_by_build_id_and_stacks_are_copied(oncpu_data: Path, programs: Path) -> None:
    modules = read_modules(oncpu_data)
    inlined = str(programs / "inlined")
    tops = list(read_stack_tops(oncpu_data))
    assert tops
    space = modules.at(tops[-1].pid, tops[-1].time_ns)
    assert space.build_id_of(inlined) == read_image(programs / "inlined").build_id
    assert inlined in modules.files([tops[-1].pid]) <= modules.files()
    # A frame pointer lies above the stack pointer, and the copied bytes begin at it: but for the odd sample in the
    # dynamic loader, which uses the register for anything.
    # Less than 2 KiB is copied where the next page of the stack is not in memory: that is up to the kernel.
    plain = [top.sp <= top.bp < top.sp + len(top.stack) and 128 < len(top.stack) <= 2048 for top in tops]
    assert sum(plain) > 0.9 * len(plain)


def test_too_little_to_say_anything_is_refused_with_what_to_change(
    oncpu_data: Path, symbols: Symbols
) -> None:
    with pytest.raises(ProfileError, match="too few to say anything") as refusal:
        read_oncpu("perf", oncpu_data, symbols, minimum_samples=10**6)
    assert "`runtime`" in refusal.value.fix


def test_an_idle_program_is_refused(programs: Path, recorder, symbols: Symbols) -> None:
    data = recorder.record(perf_record.oncpu_record_argv, [str(programs / "inlined"), "0"])
    with pytest.raises(ProfileError, match=r"no samples|only"):
        read_oncpu("perf", data, symbols)


@pytest.mark.parametrize(
    ("bytes_kept", "said"), [(None, "left no"), (0, "is empty"), (400, "cut short|failed")]
)
def test_a_missing_empty_or_cut_file_is_refused(
    oncpu_data: Path, tmp_path: Path, symbols: Symbols, bytes_kept: int | None, said: str
) -> None:
    data = tmp_path / "perf.data"
    if bytes_kept is not None:
        data.write_bytes(oncpu_data.read_bytes()[:bytes_kept])
    with pytest.raises(ProfileError, match=said):
        read_oncpu("perf", data, symbols)


def without_frame_pointers(golden: Path, folder: Path, *options: str) -> Path:
    """A deep chain of calls as distributions compile it."""
    binary = folder / "deep"
    options = ("-O1", "-fomit-frame-pointer", "-fno-optimize-sibling-calls", *options)
    subprocess.run(["gcc", *options, str(golden / "make" / "deep.c"), "-o", str(binary)], check=True)
    return binary


def test_a_program_without_frame_pointers_is_limited(
    golden: Path, tmp_path: Path, recorder, symbols: Symbols
) -> None:
    binary = without_frame_pointers(golden, tmp_path)
    oncpu = read_oncpu("perf", recorder.record(perf_record.oncpu_record_argv, [str(binary)]), symbols)
    assert oncpu.quality.whole_stack_share < 0.2
    assert "frame pointers" in " ".join(oncpu.quality.limits())


def test_a_stripped_program_is_refused(golden: Path, tmp_path: Path, recorder, symbols: Symbols) -> None:
    data = recorder.record(
        perf_record.oncpu_record_argv, [str(without_frame_pointers(golden, tmp_path, "-s"))]
    )
    with pytest.raises(ProfileError, match=r"of the frames have a name.*debug = limited.*do not strip"):
        read_oncpu("perf", data, symbols)


READS = """#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
static char room[1 << 20];
int main(void) {
    char line[16];
    puts("ready"), fflush(stdout);
    if (!fgets(line, sizeof line, stdin)) return 1;
    for (int zero = open("/dev/zero", O_RDONLY), i = 0; i < 4000; i++) read(zero, room, sizeof room);
    puts("done"), fflush(stdout);
    while (read(0, line, sizeof line) > 0) {}
}
"""


def test_a_stripped_program_that_works_in_the_kernel_is_limited(
    tmp_path: Path, recorder, symbols: Symbols
) -> None:
    """The kernel's names are there to read; the share is the program's own, and says that it has none."""
    (tmp_path / "reads.c").write_text(READS)
    options = ["-O1", "-s", "-static", "-w"]
    subprocess.run(["gcc", *options, tmp_path / "reads.c", "-o", tmp_path / "reads"], check=True)
    oncpu = read_oncpu(
        "perf", recorder.record(perf_record.oncpu_record_argv, [str(tmp_path / "reads")]), symbols
    )
    assert oncpu.kernel_ns > 0.5 * oncpu.total_ns
    assert oncpu.quality.named_frame_share == 0.0
    assert oncpu.quality.nameless[str(tmp_path / "reads")] > 0.9
    said = " ".join(oncpu.quality.limits())
    assert "Only 0% of the frames of the program and its libraries have a name" in said
    assert "begin with a frame without a name, and may be" in said


def test_what_has_no_names_is_said_with_what_would_name_it() -> None:
    libfuse, own = "/usr/lib/x86_64-linux-gnu/libfuse3.so.3.14.0", "/opt/me/results/builds/myfs"
    packaged = Quality(1.0, 0.59, nameless={libfuse: 0.41}).limits()
    assert len(packaged) == 1
    assert "the library libfuse3.so.3.14.0 (41% of the frames)" in packaged[0]
    assert "-dbgsym" in packaged[0]
    assert "strip" not in packaged[0], "nothing is wrong with the program"
    built = Quality(1.0, 0.5, nameless={own: 0.47, libfuse: 0.03}).limits()
    assert "the program myfs (47% of the frames)" in built[0]
    assert "do not strip the binary" in built[0]
    assert "libfuse3" not in built[0]
    assert "dbgsym" not in built[0]


def test_advice_on_broken_stacks_fits_whoever_walked_them() -> None:
    assert "-fno-omit-frame-pointer" in Quality(0.5, 1.0).limits()[0]
    assert "frame pointers" not in Quality(0.5, 1.0).limits(UNWIND_TABLES)[0]


def test_a_recording_without_call_chains_is_refused(
    golden: Path, monkeypatch: pytest.MonkeyPatch, oncpu_data: Path, symbols: Symbols
) -> None:
    heads = [
        line for line in (golden / "perf" / "oncpu.txt").read_text().splitlines() if "cpu-clock:" in line
    ]
    monkeypatch.setattr(script, "run", lambda argv: iter(["\n\n".join(heads * 10) + "\n\n"]))
    with pytest.raises(ProfileError, match=r"No stack has a frame.*log beside"):
        read_oncpu("perf", oncpu_data, symbols)


def test_a_recording_without_a_single_name_is_refused(
    golden: Path, monkeypatch: pytest.MonkeyPatch, oncpu_data: Path, symbols: Symbols
) -> None:
    text = (golden / "perf" / "oncpu.txt").read_text()
    nameless = re.sub(r"^(\s+[0-9a-f]+) \S.* \((\S+)\)$", r"\1 [unknown] (/gone/program)", text, flags=re.M)
    monkeypatch.setattr(script, "run", lambda argv: iter([nameless] * 10))
    with pytest.raises(ProfileError, match=r"0\.0% of the frames.*/gone/program.*debug = limited"):
        read_oncpu("perf", oncpu_data, symbols)


def read_golden(golden: Path, name: str, piece: int) -> list[tuple[list[str], str]]:
    text = (golden / "perf" / name).read_text()
    pieces: Iterator[str] = (text[i : i + piece] for i in range(0, len(text), piece))
    return [(list(heads), stack) for heads, stack in script.read_blocks(pieces)]


@pytest.mark.parametrize("piece", [1 << 20, 777, 61])
def test_the_stream_may_be_cut_anywhere(golden: Path, piece: int) -> None:
    assert read_golden(golden, "oncpu.txt", piece) == read_golden(golden, "oncpu.txt", 1 << 22)


def test_perfs_text_is_understood(golden: Path) -> None:
    blocks = read_golden(golden, "oncpu.txt", 1 << 20)
    headers = [header for heads, _ in blocks for line in heads if (header := script.parse_header(line))]
    samples = [header for header in headers if not header.is_record]
    assert len(samples) == 6
    assert {header.event()[:2] for header in samples} == {(1001001, "cpu-clock")}
    assert {header.comm for header in samples} == {"inlined"}
    frames = stacks.parse_stack(RawStack(blocks[-1][1]))
    # Return addresses are moved into the call, the sampled address is not.
    first_line = blocks[-1][1].split("\n")[0].split()
    assert frames[0].place == Place("/tmp/fuselab-golden/inlined", int(first_line[0], 16))
    assert frames[-1].place == Place("/usr/lib/x86_64-linux-gnu/libc.so.6", 0x2724A - 1)


def test_kernel_frames_are_marked_and_keep_perfs_names() -> None:
    text = (
        "ffffffff821facd8 __schedule ([kernel.kallsyms])\n"
        "\tffffffffc0a01234 [unknown] ([fuse])\n\t  f82ec read (/lib/libc.so.6)"
    )
    frames = stacks.parse_stack(RawStack(text))
    assert [frame.fallback for frame in frames] == ["__schedule_[k]", "[kernel]_[k]", "read"]
    assert frames[2].place == Place("/lib/libc.so.6", 0xF82EC)


@pytest.mark.parametrize(
    "comm", ["Web Content:3 1/2 x", "cpu 5/6 7.8: 9", "a 1/2 3.0: 4 c:", "tab\t1/2", "\x1b[31mred", ""]
)
def test_a_line_of_any_thread_name_is_read(comm: str) -> None:
    header = script.parse_header(f"{comm:>16} 12/345  7.000000001:    5 cpu-clock: ")
    assert header
    assert (header.comm, header.pid, header.tid, header.time_ns) == (comm, 12, 345, 7_000_000_001)
    assert header.event() == (5, "cpu-clock", "")


def test_a_thread_may_be_called_like_the_rest_of_its_line() -> None:
    header = script.parse_header("cpu 5/6 7.8: 9 12/345  7.000000001:    5 cpu-clock: ")
    assert header
    assert (header.comm, header.pid, header.tid) == ("cpu 5/6 7.8: 9", 12, 345)


def test_whole_stacks_reach_the_start_of_their_thread() -> None:
    assert is_whole(("_start", "main", "work"))
    assert is_whole(("__clone3", "start_thread", "std::sys::thread::unix::Thread::new::thread_start", "work"))
    assert is_whole(("runtime.goexit.abi0", "main.main"))
    assert is_whole(("runtime.mcall", "runtime.park_m"))
    assert is_whole(("[ld-linux-x86-64.so.2]", "_dl_init", "call_init"))
    assert not is_whole(("work", "main_loop"))
    assert not is_whole(())


def test_pools_fold_together() -> None:
    assert thread_frame("tokio-rt-worker-12") == thread_frame("tokio-rt-worker-3") == "tokio-rt-worker"
    assert thread_frame("kworker/1") == "kworker"
    assert thread_frame("42") == "42"


@pytest.mark.parametrize(
    ("said", "fix"),
    [
        ("Access to performance monitoring and observability operations is limited.\nperf_event_paranoid setting is 4:",
         "perf_event_paranoid"),
        ("event syntax error: 'sched:sched_switch'\n\\___ can't access trace events\nNo permissions to read "
         "/sys/kernel/tracing", "tracefs|paranoid"),
        ("failed to open perf.data: No space left on device", "disk|space"),
    ],
)  # fmt: skip
def test_perfs_complaints_become_a_setting_to_change(said: str, fix: str) -> None:
    assert re.search(fix, complaints.explain(said).fix)
    assert "last words" in complaints.explain("first\nlast words\n").reason
