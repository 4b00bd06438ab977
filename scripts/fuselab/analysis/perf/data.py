"""What `perf script` cannot print of a perf.data: where modules were mapped, and copied pieces of the user
stack.

Only what is needed of the file is read. Layout: `perf_event_attr`, PERF_RECORD_MMAP2 and PERF_RECORD_SAMPLE
in the kernel's linux/perf_event.h, the file itself in perf's perf.data-file-format.
"""

from __future__ import annotations

import mmap
import struct
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path

from fuselab.analysis.symbols.maps import NOTHING_MAPPED, AddressSpace, MappedFile
from fuselab.analysis.symbols.perf_map import has_no_file, module_of

_MAGIC = b"PERFILE2"
_RECORD_COMM, _RECORD_FORK, _RECORD_SAMPLE, _RECORD_MMAP2 = 3, 7, 9, 10
_MISC_COMM_EXEC, _MISC_BUILD_ID = 1 << 13, 1 << 14
_SAMPLE_ID_ALL = 1 << 18
_PROT_EXEC = 4
_IP, _TID, _TIME, _ADDR, _READ, _CALLCHAIN, _ID, _CPU, _PERIOD = (1 << bit for bit in range(9))
_STREAM_ID, _RAW, _BRANCH_STACK, _REGS_USER, _STACK_USER = (1 << bit for bit in range(9, 14))
_IDENTIFIER = 1 << 16
_HEADER = struct.Struct("<IHH")
_U64 = struct.Struct("<Q")
_U32 = struct.Struct("<I")
_MMAP2 = struct.Struct("<IIQQQ")
_PIDS = struct.Struct("<II")
_FILE_HEADER_BYTES = 104
_KERNEL = 0xFFFFFFFF
"""Process id of the kernel's own mappings."""
_KERNEL_ITSELF = "[kernel.kallsyms]"
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
    """The files that every process had mapped, at every time."""

    _times: Mapping[int, list[int]] = field(default_factory=dict)
    """CLOCK_MONOTONIC of every change, by process id; 0 for what was there before the recording began."""
    _spaces: Mapping[int, list[AddressSpace]] = field(default_factory=dict)
    kernel: str = ""
    """Build id of the kernel; "" where it is not known."""

    def at(self, pid: int, time_ns: int) -> AddressSpace:
        """What a process had mapped at a time; nothing for one that the recording says nothing of."""
        index = bisect_right(self._times.get(pid, ()), time_ns) - 1
        return self._spaces[pid][index] if index >= 0 else NOTHING_MAPPED

    def files(self, pids: Iterable[int] | None = None) -> frozenset[str]:
        """Paths of all that some processes (by default, all) ever had mapped."""
        spaces = (
            space for pid in (self._spaces if pids is None else pids) for space in self._spaces.get(pid, ())
        )
        return frozenset(mapping.module for space in spaces for mapping in space.mappings)


def read_modules(data: Path, build_ids: Mapping[str, str] | None = None) -> Modules:
    """Every executable mapping of a file. Nothing where it is no perf.data: perf itself says what is
    wrong.

    `build_ids` are, by path, those of files whose build id the kernel did not write into its record.
    """
    times: dict[int, list[int]] = defaultdict(list)
    spaces: dict[int, list[AddressSpace]] = defaultdict(list)
    kernel = ""
    with _opened(data) as content:
        for time_ns, kind, misc, at, size in sorted(_task_records(content), key=itemgetter(0)):
            pid, other = _PIDS.unpack_from(content, at + 8)
            before = spaces[pid][-1] if spaces[pid] else NOTHING_MAPPED
            if kind == _RECORD_MMAP2:
                mapping = _mapping(content, misc, at, size, build_ids or {})
                if pid == _KERNEL:
                    kernel = kernel or (mapping.build_id if mapping.module.startswith(_KERNEL_ITSELF) else "")
                is_code = _U32.unpack_from(content, at + 64)[0] & _PROT_EXEC and pid != _KERNEL
                after = before.with_mapping(mapping) if is_code else before
            elif kind == _RECORD_FORK:
                # perf itself writes forks of time 0 for threads and processes that are there already.
                after = spaces[other][-1] if time_ns and other != pid and spaces[other] else before
            else:
                after = NOTHING_MAPPED if misc & _MISC_COMM_EXEC else before
            if after is not before:
                times[pid].append(time_ns)
                spaces[pid].append(after)
    return Modules(dict(times), dict(spaces), kernel)


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


def _task_records(content: mmap.mmap | bytes) -> Iterator[tuple[int, int, int, int, int]]:
    """(time, type, misc, position, size) of what changes the mappings of processes, in the order of the file."""
    behind_time = _behind_time(content)
    for kind, misc, at, size in _records(content):
        if kind in (_RECORD_COMM, _RECORD_FORK, _RECORD_MMAP2):
            time_ns = _U64.unpack_from(content, at + size - behind_time)[0] if behind_time else 0
            yield time_ns, kind, misc, at, size


def _behind_time(content: mmap.mmap | bytes) -> int:
    """Bytes from the time in the trailer of records that are no samples to their end; 0 where they have none."""
    attributes = next(_attributes(content), None)
    if attributes is None:
        return 0
    (sample_type,), (flags,) = (_U64.unpack_from(content, attributes + at) for at in (24, 40))
    if not flags & _SAMPLE_ID_ALL or not sample_type & _TIME:
        return 0
    return 8 + 8 * int((sample_type & (_ID | _STREAM_ID | _CPU | _IDENTIFIER)).bit_count())


def _mapping(
    content: mmap.mmap | bytes, misc: int, at: int, size: int, build_ids: Mapping[str, str]
) -> MappedFile:
    """What a MMAP2 record says."""
    pid, _, start, length, offset = _MMAP2.unpack_from(content, at + 8)
    module = content[at + 72 : at + size].split(b"\0", 1)[0].decode(errors="replace")
    if has_no_file(module):
        module, offset = module_of(pid), start
    written = content[at + 44 : at + 44 + content[at + 40]].hex() if misc & _MISC_BUILD_ID else ""
    return MappedFile(start, start + length, offset, module, written or build_ids.get(module, ""))


def _attributes(content: mmap.mmap | bytes) -> Iterator[int]:
    """Positions of the attributes of every event."""
    if len(content) < _FILE_HEADER_BYTES:
        return
    entry_size, start, size = struct.unpack_from("<QQQ", content, 16)
    if entry_size and start + size <= len(content):
        yield from range(start, start + size, entry_size)


def _layouts(content: mmap.mmap | bytes) -> dict[int, _Layout]:
    """Event id -> layout, of the events that copy stacks."""
    wanted = _IDENTIFIER | _TID | _TIME | _REGS_USER | _STACK_USER
    layouts: dict[int, _Layout] = {}
    for entry in _attributes(content):
        (sample_type,) = _U64.unpack_from(content, entry + 24)
        (registers,) = _U64.unpack_from(content, entry + 80)
        # READ and BRANCH_STACK have a size that depends on more than this; fuselab records neither.
        if sample_type & wanted == wanted and not sample_type & (_READ | _BRANCH_STACK):
            (entry_size,) = _U64.unpack_from(content, 16)
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
