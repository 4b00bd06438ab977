"""The frames that frame pointers miss: who called a function that keeps none.

glibc is built without frame pointers. When a sample falls into memcpy or a system call, a walk along frame
pointers finds memcpy, then the *caller of its caller*: the function in between, with every async function
that is inlined into it, is lost. In a filesystem that is where the time is. The same is lost further out: code that
reads the clock runs in the kernel's vdso, which keeps a frame pointer, and was called through glibc, which keeps none.
So perf also copies the top of the user stack at the same moment (`stack_tops`), and the return addresses are found
in it by the call frame information, as far as the copy reaches.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from operator import itemgetter
from pathlib import Path

from fuselab.analysis.perf.mappings import Modules
from fuselab.analysis.perf.stack_tops import read_stack_tops
from fuselab.analysis.symbols.cfi import CallFrames, Rule, RuleAt, read_call_frames, walk
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


@dataclass(frozen=True)
class LeafCallers:
    """Callers of one recording."""

    _by_thread: Mapping[int, tuple[Sequence[int], Sequence[Callers]]]
    """Times, and what was found at each."""

    def at(self, tid: int, time_ns: int) -> Callers:
        """What was found of a sample of a thread; nothing if its stack was not copied or says nothing."""
        if tid not in self._by_thread:
            return NOTHING_MISSED
        times, found = self._by_thread[tid]
        index = bisect_left(times, time_ns)
        around = [i for i in (index - 1, index) if 0 <= i < len(times)]
        nearest = min(around, key=lambda i: abs(times[i] - time_ns))
        return found[nearest] if abs(times[nearest] - time_ns) < _SAME_MOMENT_NS else NOTHING_MISSED


def read_leaf_callers(data: Path, modules: Modules, symbols: Symbols) -> LeafCallers:
    """Walk every copied stack of a perf.data; nothing is found in one that has none."""
    rules = _rules(symbols)
    by_thread: dict[int, list[tuple[int, Callers]]] = defaultdict(list)
    for top in read_stack_tops(data):
        space = modules.at(top.pid, top.time_ns)
        way = walk(top.pc, top.sp, top.bp, top.stack, rules(space))
        places = tuple(space.locate(address - 1) for address in way.addresses)
        by_thread[top.tid].append((top.time_ns, Callers(places, way.passed)))
    ordered = {tid: sorted(tops, key=itemgetter(0)) for tid, tops in by_thread.items()}
    return LeafCallers(
        {tid: ([t for t, _ in tops], [found for _, found in tops]) for tid, tops in ordered.items()}
    )


def _rules(symbols: Symbols) -> Callable[[AddressSpace], RuleAt]:
    """Call frame information by absolute address, of every address space that is met; each is looked up once."""
    frames: dict[str, CallFrames] = {}

    def look_up(place: Place | None) -> Rule | None:
        image = symbols.image(place) if place else None
        address = image.address_of(place.offset) if image and place else None
        if image is None or address is None:
            return None
        if image.build_id not in frames:
            frames[image.build_id] = read_call_frames(image, symbols.cache_folder)
        return frames[image.build_id].rule_at(address - image.load_address)

    @cache
    def rules_of(space: AddressSpace) -> RuleAt:
        return cache(lambda address: look_up(space.locate(address)))

    return rules_of
