"""What `perf script` cannot print of a perf.data: where modules were mapped, and copied pieces of the user
stack.

Only what is needed of the file is read. Layout: `perf_event_attr`, PERF_RECORD_MMAP2 and PERF_RECORD_SAMPLE
in the kernel's linux/perf_event.h, the file itself in perf's perf.data-file-format.
"""

from __future__ import annotations

import mmap
import struct
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fuselab.analysis.maps import MappedFile

_MAGIC = b"PERFILE2"
_RECORD_SAMPLE, _RECORD_MMAP2 = 9, 10
_MISC_BUILD_ID = 1 << 14
_PROT_EXEC = 4
_IP, _TID, _TIME, _ADDR, _READ, _CALLCHAIN, _ID, _CPU, _PERIOD = (1 << bit for bit in range(9))
_STREAM_ID, _RAW, _BRANCH_STACK, _REGS_USER, _STACK_USER = (1 << bit for bit in range(9, 14))
_IDENTIFIER = 1 << 16
_HEADER = struct.Struct("<IHH")
_U64 = struct.Struct("<Q")
_U32 = struct.Struct("<I")
_MMAP2 = struct.Struct("<IIQQQ")
_FILE_HEADER_BYTES = 104
_BP, _SP, _PC = 6, 7, 8
"""Numbers of rbp, rsp and rip among the registers of x86 (asm/perf_regs.h)."""


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


@dataclass(frozen=True, slots=True)
class _Layout:
    """What one event writes into its samples."""

    sample_type: int
    registers: int
    """Bit mask of the user registers that are written, in ascending order."""


@dataclass(frozen=True)
class Modules:
    """The files that were mapped, by process id, and the build id of each by its path."""

    mappings: dict[int, list[MappedFile]]
    build_ids: dict[str, str]


def read_modules(data: Path) -> Modules:
    """Every executable mapping of a file. Nothing where it is no perf.data: perf itself says what is
    wrong."""
    mappings: dict[int, list[MappedFile]] = defaultdict(list)
    build_ids: dict[str, str] = {}
    with _opened(data) as content:
        for kind, misc, at, size in _records(content):
            if kind != _RECORD_MMAP2:
                continue
            pid, _, start, length, offset = _MMAP2.unpack_from(content, at + 8)
            protection, module = _mapped(content[at + 40 : at + size])
            if not protection & _PROT_EXEC or not module.startswith("/"):
                continue
            mappings[pid].append(MappedFile(start, start + length, offset, module))
            if misc & _MISC_BUILD_ID:
                build_ids[module] = content[at + 44 : at + 44 + content[at + 40]].hex()
    return Modules(mappings, build_ids)


def read_stack_tops(data: Path) -> Iterator[StackTop]:
    """Every sample with registers and a piece of stack, in the order of the file (not quite that of time).

    Nothing for a file that has none: what they serve is an improvement.
    """
    with _opened(data) as content:
        if not (layouts := _layouts(content)):
            return
        for kind, _, at, size in _records(content):
            if kind == _RECORD_SAMPLE:
                layout = layouts.get(_U64.unpack_from(content, at + 8)[0])
                if layout and (top := _sample(content[at + 16 : at + size], layout)):
                    yield top


@contextmanager
def _opened(data: Path) -> Iterator[mmap.mmap | bytes]:
    with data.open("rb") as stream:
        if stream.read(8) != _MAGIC:
            yield b""
            return
        with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
            yield content


def _records(content: mmap.mmap | bytes) -> Iterator[tuple[int, int, int, int]]:
    """(type, misc, position, size) of every record; a file cut short ends early."""
    if len(content) < _FILE_HEADER_BYTES:
        return
    at, size = struct.unpack_from("<QQ", content, 40)
    end = min(at + size, len(content))
    while at + 8 <= end:
        kind, misc, length = _HEADER.unpack_from(content, at)
        if length < 8 or at + length > end:
            return
        yield kind, misc, at, length
        at += length


def _mapped(body: bytes) -> tuple[int, str]:
    """(protection, path) of a MMAP2 record, from behind its file offset."""
    (protection,) = _U32.unpack_from(body, 24)
    return protection, body[32:].split(b"\0", 1)[0].decode(errors="replace")


def _layouts(content: mmap.mmap | bytes) -> dict[int, _Layout]:
    """Event id -> layout, of the events that copy stacks."""
    if len(content) < _FILE_HEADER_BYTES:
        return {}
    entry_size, start, size = struct.unpack_from("<QQQ", content, 16)
    if start + size > len(content):
        return {}
    wanted = _IDENTIFIER | _TID | _TIME | _REGS_USER | _STACK_USER
    layouts: dict[int, _Layout] = {}
    for entry in range(start, start + size, entry_size):
        (sample_type,) = _U64.unpack_from(content, entry + 24)
        (registers,) = _U64.unpack_from(content, entry + 80)
        # READ and BRANCH_STACK have a size that depends on more than this; fuselab records neither.
        if sample_type & wanted == wanted and not sample_type & (_READ | _BRANCH_STACK):
            ids_start, ids_size = struct.unpack_from("<QQ", content, entry + entry_size - 16)
            for (event_id,) in struct.iter_unpack("<Q", content[ids_start : ids_start + ids_size]):
                layouts[event_id] = _Layout(sample_type, registers)
    return layouts


def _sample(body: bytes, layout: _Layout) -> StackTop | None:
    """One sample, from behind its identifier; None if the thread was not in user mode before."""
    kind = layout.sample_type
    at = 8 if kind & _IP else 0
    pid, tid, time_ns = struct.unpack_from("<IIQ", body, at)
    at += 16 + 8 * (kind & (_ADDR | _ID | _STREAM_ID | _CPU | _PERIOD)).bit_count()
    if kind & _CALLCHAIN:
        at += 8 + 8 * int(_U64.unpack_from(body, at)[0])
    if kind & _RAW:
        at += 4 + int(_U32.unpack_from(body, at)[0])
    (abi,) = _U64.unpack_from(body, at)
    at += 8
    if abi != 2:  # PERF_SAMPLE_REGS_ABI_64
        return None
    count = layout.registers.bit_count()
    registers = dict(zip(_bits(layout.registers), struct.unpack_from(f"<{count}Q", body, at), strict=True))
    at += 8 * count
    (size,) = _U64.unpack_from(body, at)
    if not size or not {_BP, _SP, _PC} <= registers.keys():
        return None
    (copied,) = _U64.unpack_from(body, at + 8 + size)
    stack = body[at + 8 : at + 8 + copied]
    return StackTop(pid, tid, time_ns, registers[_PC], registers[_SP], registers[_BP], stack)


def _bits(mask: int) -> list[int]:
    return [bit for bit in range(mask.bit_length()) if mask >> bit & 1]
