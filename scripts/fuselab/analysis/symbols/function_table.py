"""Which function's code an address is, by the symbols of an ELF file (elf(5), `Elf64_Sym`).

Compilers put what is rarely run of a function apart, before all else, as `NAME.cold` (GCC from -O2 on). `symbolic`
names a function by the symbol at the lowest of its addresses, and so by that of its cold part, or by that of a
stranger's whose cold part is empty and therefore at the same address: `_PyEval_EvalFrameDefault` of CPython 3.11 was
`ast2obj_expr.cold`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

COLD = re.compile(r"\.cold(\.\d+)?$")
"""What a cold part is called behind its function's name."""
_FUNCTION = 2
"""Of a symbol's type (STT_FUNC)."""


@dataclass(frozen=True)
class FunctionTable:
    """Functions in the order of their addresses; symbols that say no size are left out."""

    starts: NDArray[np.uint64]
    """Addresses as the linker laid them out; behind them may stand where the last function ends."""
    ends: NDArray[np.uint64]
    names: NDArray[np.int64]
    """Of each function, where its name begins in `data`."""
    data: bytes

    def at(self, address: int) -> str:
        """The function that an address is in, as it is called there; "" outside all of them."""
        number = int(np.searchsorted(self.starts, np.uint64(address), side="right")) - 1
        if not 0 <= number < len(self.names) or address >= self.ends[number]:
            return ""
        return self._name(int(self.names[number]))

    def whole(self, address: int) -> str:
        """The same, of a cold part the function that it is a part of; one of Go may be called `main.cold` itself."""
        name = self.at(address)
        function = COLD.sub("", name)
        return function if function in self._all else name

    @cached_property
    def _all(self) -> frozenset[str]:
        return frozenset(map(self._name, self.names.tolist()))

    def _name(self, start: int) -> str:
        return self.data[start : self.data.index(b"\0", start)].decode(errors="replace")


def read_function_table(path: Path) -> FunctionTable:
    """The functions of an ELF file, by its whole table of symbols or, where it was stripped, the dynamic one.

    Raises FileNotFoundError; what is no ELF file has been refused before.
    """
    from elftools.elf.elffile import ELFFile

    with path.open("rb") as stream:
        elf = ELFFile(stream)
        tables = [each for kind in ("SHT_SYMTAB", "SHT_DYNSYM") for each in elf.iter_sections(kind)]
        if not tables:
            return FunctionTable(*(np.empty(0, np.uint64),) * 2, np.empty(0, np.int64), b"")
        symbols = np.frombuffer(tables[0].data(), _layout(elf.elfclass, elf.little_endian))
        data: bytes = elf.get_section(tables[0]["sh_link"]).data()
    functions = symbols[((symbols["info"] & 0xF) == _FUNCTION) & (symbols["size"] > 0)]
    functions = functions[np.argsort(functions["value"], kind="stable")]
    starts, sizes = (functions[field].astype(np.uint64) for field in ("value", "size"))
    return FunctionTable(starts, starts + sizes, functions["name"].astype(np.int64), data)


def _layout(bits: int, little: bool) -> np.dtype[np.void]:
    order = "<" if little else ">"
    rest = [("info", "u1"), ("other", "u1"), ("section", f"{order}u2")]
    places = [("value", f"{order}u{bits // 8}"), ("size", f"{order}u{bits // 8}")]
    name = ("name", f"{order}u4")
    return np.dtype([name, *rest, *places] if bits == 64 else [name, *places, *rest])
