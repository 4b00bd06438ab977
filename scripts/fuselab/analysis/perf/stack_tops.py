"""The pieces of user stacks that perf copied beside its samples, with the registers of the thread."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fuselab.analysis.perf import data as layout
from fuselab.analysis.perf.data import PerfData, opened

_SAMPLE = 9
_REGS_ABI_64 = 2
_BP, _SP, _PC = 6, 7, 8
"""Numbers of rbp, rsp and rip among the registers of x86 (asm/perf_regs.h)."""
_WANTED = layout.IDENTIFIER | layout.TID | layout.TIME | layout.REGS_USER | layout.STACK_USER
_Layout = tuple[int, list[int]]
"""What one event writes into its samples: its sample_type, and the user registers in their order."""


@dataclass(frozen=True, slots=True)
class StackTop:
    """Registers of a thread in user mode, and the bytes its stack pointer points to."""

    pid: int
    tid: int
    time_ns: int
    pc: int
    sp: int
    bp: int
    stack: bytes


def read_stack_tops(data: Path) -> Iterator[StackTop]:
    """Every sample with registers and a piece of stack, in the order of the file (not quite that of time).

    Nothing for a file that has none: what they serve is an improvement.
    """
    with opened(data) as file:
        layouts = _layouts(file)
        for kind, _, at, size in file.records() if layouts else ():
            written = layouts.get(file.word(at + 8)) if kind == _SAMPLE else None
            if written and (top := _sample(file.content[at + 16 : at + size], *written)):
                yield top


def _layouts(file: PerfData) -> dict[int, _Layout]:
    """Event id -> layout, of the events that copy stacks."""
    layouts: dict[int, _Layout] = {}
    for entry in file.attributes:
        sample_type, mask = file.word(entry + 24), file.word(entry + 80)
        # READ and BRANCH_STACK have a size that depends on more than this; fuselab records neither.
        if sample_type & (_WANTED | layout.READ | layout.BRANCH_STACK) == _WANTED:
            registers = [bit for bit in range(mask.bit_length()) if mask >> bit & 1]
            ids, size = struct.unpack_from("<QQ", file.content, entry + file.entry_bytes - 16)
            layouts |= {file.word(at): (sample_type, registers) for at in range(ids, ids + size, 8)}
    return layouts


def _sample(body: bytes, kind: int, registers: list[int]) -> StackTop | None:
    """One sample, from behind its identifier; None if the thread was not in user mode before."""

    def word(at: int) -> int:
        return int.from_bytes(body[at : at + 8], "little")

    at = 8 if kind & layout.IP else 0
    pid, tid, time_ns = struct.unpack_from("<IIQ", body, at)
    at += (
        16
        + 8 * (kind & (layout.ADDR | layout.ID | layout.STREAM_ID | layout.CPU | layout.PERIOD)).bit_count()
    )
    if kind & layout.CALLCHAIN:
        at += 8 + 8 * word(at)
    if kind & layout.RAW:
        at += 4 + int.from_bytes(body[at : at + 4], "little")
    if word(at) != _REGS_ABI_64:
        return None
    values = dict(zip(registers, struct.unpack_from(f"<{len(registers)}Q", body, at + 8), strict=True))
    at += 8 + 8 * len(registers)
    size = word(at)
    if not size or not {_BP, _SP, _PC} <= values.keys():
        return None
    stack = body[at + 8 : at + 8 + word(at + 8 + size)]
    return StackTop(pid, tid, time_ns, values[_PC], values[_SP], values[_BP], stack)
