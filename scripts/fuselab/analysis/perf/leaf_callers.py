"""The frames that frame pointers miss: who called a function that keeps none.

glibc is built without frame pointers. When a sample falls into memcpy or a system call, a walk along frame
pointers finds memcpy, then the *caller of its caller*: the function in between, with every async function
that is inlined into it, is lost. In a filesystem that is where the time is. The same is lost further out: code that
reads the clock runs in the kernel's vdso, which keeps a frame pointer, and was called through glibc, which keeps none.
So perf also copies the top of the user stack at the same moment (perf.STACK_TOPS), and the return addresses are found
in it by the call frame information, as far as the copy reaches.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from fuselab.analysis.perf.data import Modules, read_stack_tops
from fuselab.analysis.symbols.cfi import CallFrames, Rule, read_call_frames, walk
from fuselab.analysis.symbols.maps import AddressSpace, Place
from fuselab.analysis.symbols.symbolizer import Symbols

_SAME_MOMENT_NS = 1_000_000
"""The two events of one moment are microseconds apart; the thread cannot have run in between."""


@dataclass(frozen=True, slots=True)
class Callers:
    """What a walk by call frame information found."""

    places: tuple[Place | None, ...] = ()
    """Callers of the innermost user frame, leaf first; their addresses lie within the call. None: in no module."""
    stand_for: int | None = 0
    """How many of the callers that a walk along frame pointers found they replace, from the innermost on. None: all of
    them, which are junk."""


NOTHING_MISSED = Callers()


@dataclass
class LeafCallers:
    """Callers of one recording, by thread and time."""

    _times: dict[int, list[int]] = field(default_factory=dict)
    _found: dict[int, list[Callers]] = field(default_factory=dict)

    def at(self, tid: int, time_ns: int) -> Callers:
        """What was found of a sample of a thread; nothing if its stack was not copied or says nothing."""
        times = self._times.get(tid)
        if not times:
            return NOTHING_MISSED
        index = bisect_left(times, time_ns)
        around = [i for i in (index - 1, index) if 0 <= i < len(times)]
        nearest = min(around, key=lambda i: abs(times[i] - time_ns))
        return (
            self._found[tid][nearest] if abs(times[nearest] - time_ns) < _SAME_MOMENT_NS else NOTHING_MISSED
        )


def read_leaf_callers(data: Path, modules: Modules, symbols: Symbols) -> LeafCallers:
    """Walk every copied stack of a perf.data; nothing is found in one that has none."""
    rules = _Rules(symbols)
    by_thread: dict[int, list[tuple[int, Callers]]] = defaultdict(list)
    for top in read_stack_tops(data):
        space = modules.at(top.pid, top.time_ns)
        way = walk(top.pc, top.sp, top.bp, top.stack, rules.of(space).at)
        places = tuple(space.locate(address - 1) for address in way.addresses)
        by_thread[top.tid].append((top.time_ns, Callers(places, way.passed)))
    result = LeafCallers()
    for tid, tops in by_thread.items():
        tops.sort(key=lambda item: item[0])
        result._times[tid] = [time_ns for time_ns, _ in tops]
        result._found[tid] = [found for _, found in tops]
    return result


@dataclass
class _SpaceRules:
    """Rules by absolute address, each looked up once."""

    space: AddressSpace
    rules: _Rules
    known: dict[int, Rule | None] = field(default_factory=dict)

    def at(self, address: int) -> Rule | None:
        if address not in self.known:
            place = self.space.locate(address)
            self.known[address] = self.rules.look_up(place) if place else None
        return self.known[address]


@dataclass
class _Rules:
    """Call frame information of the modules that were met."""

    symbols: Symbols
    spaces: dict[AddressSpace, _SpaceRules] = field(default_factory=dict)
    frames: dict[str, CallFrames] = field(default_factory=dict)

    def of(self, space: AddressSpace) -> _SpaceRules:
        if space not in self.spaces:
            self.spaces[space] = _SpaceRules(space, self)
        return self.spaces[space]

    def look_up(self, place: Place) -> Rule | None:
        image = self.symbols.image(place)
        if image is None:
            return None
        if image.build_id not in self.frames:
            self.frames[image.build_id] = read_call_frames(image, self.symbols.cache_folder)
        address = image.address_of(place.offset)
        return None if address is None else self.frames[image.build_id].rule_at(address - image.load_address)
