"""Names of a Go program's functions from `.gopclntab`, which the runtime needs and no stripping takes away.

The format (Go's debug/gosym, runtime/symtab.go): a header with a magic number for each of its four versions, a table of
(start of a function, where its record lies), and names that end in a zero byte. Since Go 1.18 starts are counted from
`runtime.text`. That is not always where `.text` begins (an external linker puts C before it), and Go 1.26 no longer
says it in the header: it stands in the runtime's `moduledata`, which begins with a pointer to the header.

Inlined calls are not read: a frame is the function whose code it is, as `nm` would say.
"""

from __future__ import annotations

import re
import struct
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fuselab.analysis.symbols.function_table import FunctionTable

if TYPE_CHECKING:
    from elftools.elf.elffile import ELFFile

_OF_GO = (".gopclntab", ".go.buildinfo")
"""Sections by which Go's linker is known. An external one may have put the table among other data (`.data.rel.ro`)."""
_HEADER = re.compile(rb"[\xf0\xf1\xfa\xfb]\xff{3}\0\0[\1\2\4]\x08", re.DOTALL)
_GO_1_2, _GO_1_16, _GO_1_18, _GO_1_20 = 0xFFFFFFFB, 0xFFFFFFFA, 0xFFFFFFF0, 0xFFFFFFF1
_WORD = 8
_NAMES_WORD, _TABLE_WORD = {_GO_1_16: 2, _GO_1_18: 3, _GO_1_20: 3}, {_GO_1_16: 6, _GO_1_18: 7, _GO_1_20: 7}
"""Which word of the header says where the names are, and where the table of functions is."""
_TEXT_OF_MODULE = 22 * _WORD
"""Offset of `text` in moduledata, from Go 1.16 to 1.26 at least."""


def read_go_table(path: Path) -> FunctionTable | None:
    """The table of a stripped ELF file of 64 bits; None where there is none that is known here.

    A file with symbols is better read by these: they tell generic functions apart, and debug information inlined calls.
    """
    from elftools.common.exceptions import ELFError
    from elftools.elf.elffile import ELFFile

    with path.open("rb") as stream:
        try:
            elf = ELFFile(stream)
            if not any(map(elf.get_section_by_name, _OF_GO)) or elf.get_section_by_name(".symtab"):
                return None
            if elf.elfclass != 64 or not elf.little_endian:
                return None
            memory = _Memory(elf)
            section = elf.get_section_by_name(".gopclntab")
            header = int(section["sh_addr"]) if section else memory.header()
            return None if header is None else parse(memory.read(header), _text_start(memory, header))
        except (ELFError, struct.error, ValueError, IndexError):
            return None


def parse(data: bytes, text_start: int) -> FunctionTable | None:
    """The table in `data`, with its pointers relocated; `text_start` is the address of runtime.text.

    None for a magic number that is not known here. Raises struct.error, ValueError or IndexError for a broken one.
    """
    (magic,) = struct.unpack_from("<I", data)
    if magic == _GO_1_2:
        count = struct.unpack_from("<Q", data, _WORD)[0]
        return _table(data, count, 2 * _WORD, records=0, names=0, start_bytes=8)
    if magic not in _TABLE_WORD or data[7] != _WORD:
        return None
    header = struct.unpack_from("<8Q", data, _WORD)
    count, names, table = header[0], header[_NAMES_WORD[magic]], header[_TABLE_WORD[magic]]
    if magic == _GO_1_16:
        return _table(data, count, table, records=table, names=names, start_bytes=8)
    return _table(data, count, table, records=table, names=names, start_bytes=4, text_start=text_start)


def _table(
    data: bytes, count: int, table: int, records: int, names: int, start_bytes: int, text_start: int = 0
) -> FunctionTable:
    """Starts are whole addresses (8 bytes), or counted from `text_start` (4); a record is the start, then the name."""
    pairs = np.frombuffer(data, f"<u{start_bytes}", 2 * count + 1, table).astype(np.int64)
    fields = np.frombuffer(data, "<i4", (len(data) - records) // 4, records)
    at = fields[pairs[1::2] // 4 + start_bytes // 4]
    starts = (pairs[::2] + text_start).astype(np.uint64)  # the last is where the last function ends
    return FunctionTable(starts, starts[1:], at.astype(np.int64) + names, data)


class _Memory:
    """What a program has in memory once its loader has relocated it to the address that the linker chose."""

    def __init__(self, elf: ELFFile) -> None:
        self.segments = [(int(s["p_vaddr"]), s.data()) for s in elf.iter_segments("PT_LOAD")]
        tables = [np.frombuffer(s.data(), "<u8").reshape(-1, 3) for s in elf.iter_sections("SHT_RELA")]
        found = np.concatenate([np.zeros((0, 3), np.uint64), *tables])
        found = found[found[:, 1] >> np.uint64(32) == 0]  # relative ones: no symbol
        self.relocated, self.addends = found[:, 0], found[:, 2]
        text = elf.get_section_by_name(".text")
        self.text = int(text["sh_addr"]) if text else 0

    def header(self) -> int | None:
        """Where the table begins: something like its header, to which a pointer leads."""
        found = (start + at.start() for start, data in self.segments for at in _HEADER.finditer(data))
        return next((address for address in found if self.pointers_to(address)), None)

    def read(self, address: int, size: int | None = None) -> bytes:
        """`size` bytes, or all up to the end of the segment. Raises ValueError outside all segments."""
        found_in = [(s, d) for s, d in self.segments if s <= address < s + len(d)]
        if not found_in:
            raise ValueError(f"no segment has the address {address:#x}")
        start, data = found_in[0]
        end = len(data) if size is None else address - start + size
        found = bytearray(data[address - start : end])
        inside = (self.relocated >= address) & (self.relocated + np.uint64(_WORD) <= address + len(found))
        for at, addend in zip(self.relocated[inside].tolist(), self.addends[inside].tolist(), strict=True):
            struct.pack_into("<Q", found, at - address, addend)
        return bytes(found)

    def pointers_to(self, address: int) -> list[int]:
        """Where the address is stored."""
        found: list[int] = self.relocated[self.addends == address].tolist()
        word = struct.pack("<Q", address)
        for start, data in self.segments:
            at = data.find(word)
            while at >= 0:
                found.append(start + at)
                at = data.find(word, at + 1)
        return found


def _text_start(memory: _Memory, header: int) -> int:
    """Address of runtime.text: from moduledata, or that of `.text` where there is none."""
    names = struct.unpack_from("<Q", memory.read(header, 5 * _WORD), 4 * _WORD)[0]
    for module in memory.pointers_to(header):
        words = memory.read(module, _TEXT_OF_MODULE + _WORD)
        if len(words) == _TEXT_OF_MODULE + _WORD:
            pointer, second = struct.unpack_from("<2Q", words)
            if (pointer, second) == (header, header + names):
                return int(struct.unpack_from("<Q", words, _TEXT_OF_MODULE)[0])
    return memory.text
