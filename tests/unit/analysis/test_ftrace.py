"""Pages of the kernel's tracing buffers: what is read of them is what the kernel prints of them."""

from __future__ import annotations

import re
import struct
from pathlib import Path

import pytest
from tests.conftest import CHECKOUT

from fuselab.analysis.ftrace import all_tasks, numbered, read_trace
from fuselab.analysis.perf.tracepoints import Tracepoints

GOLDEN = CHECKOUT / "tests/golden/ftrace"
FORMAT = """\
name: call
ID: 700
format:
\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;
\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;

\tfield:unsigned char small;\toffset:9;\tsize:1;\tsigned:0;
\tfield:long ret;\toffset:12;\tsize:8;\tsigned:1;

print fmt: "%d", REC->ret
"""


FORK_FORMAT = """\
name: sched_process_fork
ID: 366
format:
\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;
\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;

\tfield:__data_loc char[] parent_comm;\toffset:8;\tsize:4;\tsigned:0;
\tfield:pid_t parent_pid;\toffset:12;\tsize:4;\tsigned:1;
\tfield:__data_loc char[] child_comm;\toffset:16;\tsize:4;\tsigned:0;
\tfield:pid_t child_pid;\toffset:20;\tsize:4;\tsigned:1;

print fmt: "comm=%s pid=%d child_comm=%s child_pid=%d", __get_str(parent_comm)
"""


def printed(told: Tracepoints) -> list[str]:
    """As the kernel has it in `trace`: microseconds, thread, and the fields that it prints."""
    lines = []
    for name, samples in told.samples.items():
        for each in samples:
            if name == "sys_exit_read":
                text = f"sys_read -> {each['ret']:#x}"
            elif name == "fuse_request_end":
                text = "{}: connection {connection} req {unique} len {len} error {error}".format(
                    name, **dict(zip(samples.dtype.names or (), each.tolist(), strict=True))
                )
            else:
                text = (
                    f"{name}: connection {each['connection']} req {each['unique']} opcode {each['opcode']} "
                    f"({told.symbols[name][each['opcode']]}) len {each['len']}"
                )
            us = (int(each["time_ns"]) + 500) // 1000
            lines.append(f"{each['tid']} {us // 1_000_000}.{us % 1_000_000:06} {text}")
    return sorted(lines)


def test_every_event_is_read_as_the_kernel_prints_it() -> None:
    told = read_trace(GOLDEN / "requests.trace", [(GOLDEN / "formats.txt").read_text()])
    lines = [line for line in (GOLDEN / "requests.txt").read_text().splitlines() if not line.startswith("#")]
    kernels = [re.sub(r"^.*-(\d+) +\[\d+\] \S+ +([\d.]+): (.*?) *$", r"\1 \2 \3", line) for line in lines]
    assert len(kernels) > 100
    assert printed(told) == sorted(kernels)
    sent = told.samples["fuse_request_send"]["time_ns"]
    assert (sent[1:] >= sent[:-1]).all()


def page(time_ns: int, *entries: bytes) -> bytes:
    filled = b"".join(entries)
    return struct.pack("<QQ", time_ns, len(filled) | 1 << 31) + filled


def entry(kind: int, delta: int, *words: int) -> bytes:
    return struct.pack(f"<{1 + len(words)}I", kind | delta << 5, *words)


def call(delta: int, tid: int, small: int, ret: int, kind: int = 5) -> bytes:
    longer = () if kind else (4 * 6,)
    return entry(kind, delta, *longer, 700, tid, small << 8, ret & 0xFFFFFFFF, ret >> 32 & 0xFFFFFFFF)


def read(folder: Path, *pages: bytes) -> list[tuple[int, ...]]:
    (folder / "pages").write_bytes(b"".join(pages))
    return [tuple(each) for each in read_trace(folder / "pages", [FORMAT]).samples["call"].tolist()]


def test_times_add_up_within_a_page_and_pages_are_put_in_order(tmp_path: Path) -> None:
    later = page(5000, call(0, 7, 1, -2), call(10, 7, 1, 1 << 33))
    earlier = page(1000, call(0, 8, 255, 3), call(5, 8, 2, 4, kind=0))
    assert read(tmp_path, later, earlier) == [
        (1000, 8, 8, 255, 3),
        (1005, 8, 8, 2, 4),
        (5000, 7, 7, 1, -2),
        (5010, 7, 7, 1, 1 << 33),
    ]


def test_long_pauses_absolute_times_and_what_was_thrown_away_are_understood(tmp_path: Path) -> None:
    extended = entry(30, 1, 2)  # 2 << 27 | 1
    absolute = (3 << 59) + (9 << 27) + 4
    stamped = entry(31, 4, 9)
    thrown = entry(29, 1, 4 * 2, 0)
    rest = entry(29, 0, 0, 0, 0)
    pages = page(
        absolute - 1000, call(0, 7, 0, 1), extended, call(2, 7, 0, 2), stamped, call(0, 7, 0, 3),
        thrown, call(2, 7, 0, 4), rest,
    )  # fmt: skip
    times = [each[0] for each in read(tmp_path, pages)]
    begun = absolute - 1000
    assert times == sorted([begun, begun + (2 << 27) + 3, absolute, absolute + 3])


def test_other_events_are_passed_over(tmp_path: Path) -> None:
    assert read(tmp_path, page(1, entry(3, 1, 5, 7, 0), call(1, 7, 0, 9))) == [(3, 7, 7, 0, 9)]


def test_nothing_recorded_is_no_event(tmp_path: Path) -> None:
    assert read(tmp_path) == []


@pytest.mark.parametrize("cut", [4, 20])
def test_a_page_that_is_cut_short_is_no_page(tmp_path: Path, cut: int) -> None:
    with pytest.raises(ValueError, match="cut short"):
        read(tmp_path, page(1, call(0, 7, 0, 9))[:-cut])


def test_threads_get_the_numbers_that_the_run_has_for_them(tmp_path: Path) -> None:
    pages = page(1, call(0, 100, 0, 1), call(1, 101, 0, 2), call(1, 102, 0, 3), call(1, 103, 0, 4))
    (tmp_path / "pages").write_bytes(pages)
    told = read_trace(tmp_path / "pages", [FORMAT])
    found = numbered(told, all_tasks(told, {100: (5, 5), 101: (5, 6)}, others={102})).samples["call"]
    assert found["pid"][:3].tolist() == [5, 5, 0]
    assert found["tid"][:2].tolist() == [5, 6]
    assert min(found["pid"][3], *found["tid"][2:]) >= 1 << 22
    assert len(set(found["tid"].tolist())) == 4


def test_threads_that_nobody_saw_are_of_the_process_that_they_descend_from(tmp_path: Path) -> None:
    """The run has 100; 101 is born of it and 102 of that one, and 202 of 200, which is the kernel's."""
    born = [entry(6, 1, 366, tid, 0, tid, 0, child) for tid, child in ((100, 101), (101, 102), (200, 202))]
    calls = [call(1, tid, 0, 1) for tid in (101, 102, 202)]
    (tmp_path / "pages").write_bytes(page(1, *born, *calls))
    told = read_trace(tmp_path / "pages", [FORMAT, FORK_FORMAT])
    found = numbered(told, all_tasks(told, {100: (5, 6)}, others={200})).samples["call"]
    assert found["pid"].tolist() == [5, 5, 0]
    assert min(found["tid"]) >= 1 << 22


def test_of_what_everybody_does_nothing_of_strangers_is_kept(tmp_path: Path) -> None:
    (tmp_path / "pages").write_bytes(page(1, *(call(1, tid, 0, tid) for tid in (100, 101, 102, 101))))
    told = read_trace(tmp_path / "pages", [FORMAT], {"call": [101, 7]})
    assert told.samples["call"]["ret"].tolist() == [100, 102]
