"""Names for the stacks of heap dumps, each by the files that were mapped when its dump was written."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fuselab.analysis.heap import allocator
from fuselab.analysis.heap.dump import HeapDump, addresses_of
from fuselab.analysis.quality import NamedStack
from fuselab.analysis.symbols.labels import of_file
from fuselab.analysis.symbols.maps import AddressSpace, MappedFile, Place
from fuselab.analysis.symbols.symbolizer import Frames, Symbols


@dataclass(frozen=True)
class HeapStack:
    """A stack of a dump, with names."""

    whole: NamedStack
    folded: tuple[str, ...]
    """Root first, without the allocator's frames."""
    startup: bool
    """Whether a runtime allocated it before the program began: no memory of the program's."""


Mappings = tuple[MappedFile, ...]


def name_stacks(dumps: Sequence[HeapDump], symbols: Symbols) -> list[Mapping[str, HeapStack]]:
    """For each dump the names of its stacks, all looked up in one batch.

    A plugin may be closed and another opened at its address: the same addresses have other names in a later dump.
    """
    stacks: defaultdict[Mappings, dict[str, list[int]]] = defaultdict(dict)
    for dump in dumps:
        known = stacks[dump.mappings]
        known.update({stack: addresses_of(stack) for stack in dump.stacks if stack not in known})
    places = {
        mappings: {address: space.locate(address) for stack in group.values() for address in stack}
        for mappings, group in stacks.items()
        if (space := AddressSpace(mappings))
    }
    names = symbols.name(place for group in places.values() for place in group.values() if place)
    named = {
        mappings: {stack: _name(addresses, places[mappings], names) for stack, addresses in group.items()}
        for mappings, group in stacks.items()
    }
    return [named[dump.mappings] for dump in dumps]


def _name(
    addresses: Sequence[int], places: Mapping[int, Place | None], names: Mapping[Place, Frames]
) -> HeapStack:
    found = [(places[address], *_frames(places[address], names)) for address in reversed(addresses)]
    functions = tuple(name for _, frames, _ in found for name in frames)
    whole = NamedStack(
        functions,
        sum(named for *_, named in found),
        len(found),
        nameless=tuple(place.module for place, _, named in found if place and not named),
    )
    modules = [place.module if place else "" for place, *_ in found]
    return HeapStack(whole, allocator.trim(functions), allocator.startup(functions, modules))


def _frames(place: Place | None, names: Mapping[Place, Frames]) -> tuple[Frames, bool]:
    """What an address is called, and whether that is a name."""
    if place is None:
        return ("[unknown]",), False
    if allocator.OWN_MODULES.search(place.module):
        # Its internals are not exported: a name nearby would be wrong, and all of it is the allocator.
        return ("malloc",), True
    return (names[place], True) if names[place] else ((of_file(place.module),), False)
