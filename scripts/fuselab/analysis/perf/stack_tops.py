"""The pieces of user stacks that perf copied beside its samples, with the registers of the thread."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fuselab.analysis.perf import data as layout
from fuselab.analysis.perf.data import Event, Sample, opened

_REGS_ABI_64 = 2
_BP, _SP, _PC = 6, 7, 8
"""Numbers of rbp, rsp and rip among the registers of x86 (asm/perf_regs.h)."""
_WANTED = layout.IDENTIFIER | layout.TID | layout.TIME | layout.REGS_USER | layout.STACK_USER


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
        # READ and BRANCH_STACK have a size that depends on more than the type; fuselab records neither.
        unknown = layout.READ | layout.BRANCH_STACK
        copying = [event for event in file.events() if event.sample_type & (_WANTED | unknown) == _WANTED]
        kinds = {identifier: event.sample_type for event in copying for identifier in event.ids}
        registers = {identifier: _registers(event) for event in copying for identifier in event.ids}
        for identifier, sample in file.samples(kinds) if kinds else ():
            if top := _top(sample, registers[identifier]):
                yield top


def _registers(event: Event) -> list[int]:
    """In the order in which they are written."""
    return [bit for bit in range(event.user_registers.bit_length()) if event.user_registers >> bit & 1]


def _top(sample: Sample, registers: list[int]) -> StackTop | None:
    """None if the thread was not in user mode before."""

    def word(at: int) -> int:
        return int.from_bytes(sample.rest[at : at + 8], "little")

    if word(0) != _REGS_ABI_64:
        return None
    values = dict(zip(registers, struct.unpack_from(f"<{len(registers)}Q", sample.rest, 8), strict=True))
    at = 8 + 8 * len(registers)
    size = word(at)
    if not size or not {_BP, _SP, _PC} <= values.keys():
        return None
    stack = sample.rest[at + 8 : at + 8 + word(at + 8 + size)]
    return StackTop(sample.pid, sample.tid, sample.time_ns, values[_PC], values[_SP], values[_BP], stack)
