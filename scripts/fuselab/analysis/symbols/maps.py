"""Where modules were mapped while a program ran: from addresses to places in files.

An address means a place in a file only at one time of one process: a plugin is closed, and another is opened where it
was. So whoever has an address asks the `AddressSpace` of that process and moment.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

MIXED = "that of two files"
"""Build id of a path by which a process had mapped two files at once: which of them is meant cannot be told."""


class Place(NamedTuple):
    """A byte of code: file offset in a module, as maps and perf give it."""

    module: str
    """Path of the ELF file as the profiled process saw it."""
    offset: int
    """Bytes from the start of the file. From a return address subtract 1 first, to be inside the caller."""
    build_id: str = ""
    """Of the file that was mapped, as `ElfImage` has it; "" where the capture does not know it."""

    @property
    def file(self) -> tuple[str, str]:
        """One path may have been two files, one after the other."""
        return self.module, self.build_id


@dataclass(frozen=True, slots=True)
class MappedFile:
    """One executable mapping of a file."""

    start: int
    end: int
    offset: int
    """File offset of `start`."""
    module: str
    build_id: str = ""
    """Of the file that was mapped, as `ElfImage` has it; "" where the capture does not know it."""


@dataclass(frozen=True, eq=False)
class AddressSpace:
    """The executable mappings of one process at one time, by address. Where two overlap, the later one holds."""

    mappings: tuple[MappedFile, ...] = ()

    @cached_property
    def _starts(self) -> tuple[int, ...]:
        return tuple(mapping.start for mapping in self.mappings)

    def with_mapping(self, new: MappedFile) -> AddressSpace:
        """What is mapped once `new` has taken its place: of older mappings that reach into it, the rest stays."""
        kept = (part for old in self.mappings for part in _around(old, new))
        return AddressSpace(tuple(sorted((*kept, new), key=lambda mapping: mapping.start)))

    def locate(self, address: int) -> Place | None:
        """Module and file offset of an address; None outside all mapped files."""
        index = bisect_right(self._starts, address) - 1
        if index < 0 or address >= (found := self.mappings[index]).end:
            return None
        return Place(found.module, address - found.start + found.offset, found.build_id)

    def build_id_of(self, module: str) -> str:
        """Of the file behind a path: "" where it is not known, MIXED where two files were mapped by one path."""
        return self._build_ids.get(module, "")

    @cached_property
    def _build_ids(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for mapping in self.mappings:
            before = found.setdefault(mapping.module, mapping.build_id)
            if before != mapping.build_id:
                found[mapping.module] = MIXED
        return found


NOTHING_MAPPED = AddressSpace()


def _around(old: MappedFile, new: MappedFile) -> Iterable[MappedFile]:
    """What is left of `old` below and above `new`."""
    if old.end <= new.start or new.end <= old.start:
        return (old,)
    below = replace(old, end=new.start)
    above = replace(old, start=new.end, offset=old.offset + new.end - old.start)
    return tuple(part for part in (below, above) if part.start < part.end)
