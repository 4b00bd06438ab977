"""Where modules were mapped while a program ran: from addresses to places in files."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from fuselab.analysis.symbols import Place


@dataclass(frozen=True, slots=True)
class MappedFile:
    """One executable mapping of a file."""

    start: int
    end: int
    offset: int
    """File offset of `start`."""
    module: str


def locate(address: int, mappings: Iterable[MappedFile]) -> Place | None:
    """Module and file offset of an address; None outside all mapped files."""
    for mapping in mappings:
        if mapping.start <= address < mapping.end:
            return Place(mapping.module, address - mapping.start + mapping.offset)
    return None
