"""The frame that frame pointers miss: who called a function that keeps none.

glibc is built without frame pointers. When a sample falls into memcpy or a system call, a walk along frame
pointers finds memcpy, then the *caller of its caller*: the function in between, with every async function
that is inlined into it, is lost. In a filesystem that is where the time is. So perf also copies the top of
the user stack at the same moment (perf.STACK_TOPS), and the missing return addresses are found in it by the
call frame information.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fuselab.analysis.cfi import CallFrames, Rule, read_call_frames, walk
from fuselab.analysis.maps import MappedFile, locate
from fuselab.analysis.perf_data import read_stack_tops
from fuselab.analysis.symbols import Place, Symbols

_SAME_MOMENT_NS = 1_000_000
"""The two events of one moment are microseconds apart; the thread cannot have run in between."""


@dataclass(frozen=True, slots=True)
class Callers:
    """What a walk along frame pointers missed."""

    places: tuple[Place, ...] = ()
    """Callers of the innermost user frame, leaf first; their addresses lie within the call."""
    replace: bool = False
    """Whether they stand for everything that was found behind the innermost user frame, which is then junk."""


NOTHING_MISSED = Callers()


@dataclass
class LeafCallers:
    """Missing callers of one recording, by thread and time."""

    _times: dict[int, list[int]] = field(default_factory=dict)
    _found: dict[int, list[Callers]] = field(default_factory=dict)

    def at(self, tid: int, time_ns: int) -> Callers:
        """What a sample of a thread misses; nothing if its stack was not copied or needs no help."""
        times = self._times.get(tid)
        if not times:
            return NOTHING_MISSED
        index = bisect_left(times, time_ns)
        around = [i for i in (index - 1, index) if 0 <= i < len(times)]
        nearest = min(around, key=lambda i: abs(times[i] - time_ns))
        return (
            self._found[tid][nearest] if abs(times[nearest] - time_ns) < _SAME_MOMENT_NS else NOTHING_MISSED
        )


def read_leaf_callers(
    data: Path, mappings: Mapping[int, Sequence[MappedFile]], symbols: Symbols
) -> LeafCallers:
    """Walk every copied stack of a perf.data; nothing is found in one that has none.

    `mappings` are those of each process id.
    """
    walker = _Walker(mappings, symbols)
    by_thread: dict[int, list[tuple[int, Callers]]] = defaultdict(list)
    for top in read_stack_tops(data):
        modules = walker.of(top.pid)
        way = walk(top.pc, top.sp, top.bp, top.stack, modules.rule_at)
        places = [locate(address - 1, modules.mappings) for address in way.addresses]
        missed = Callers(tuple(place for place in places if place), not way.meets)
        by_thread[top.tid].append((top.time_ns, missed))
    result = LeafCallers()
    for tid, tops in by_thread.items():
        tops.sort(key=lambda item: item[0])
        result._times[tid] = [time_ns for time_ns, _ in tops]
        result._found[tid] = [missed for _, missed in tops]
    return result


@dataclass
class _Process:
    """Rules by absolute address, each looked up once."""

    mappings: Sequence[MappedFile]
    walker: _Walker
    known: dict[int, Rule | None] = field(default_factory=dict)

    def rule_at(self, address: int) -> Rule | None:
        if address not in self.known:
            place = locate(address, self.mappings)
            self.known[address] = self.walker.rule(place) if place else None
        return self.known[address]


@dataclass
class _Walker:
    """Call frame information of the modules that were met."""

    all_mappings: Mapping[int, Sequence[MappedFile]]
    symbols: Symbols
    processes: dict[int, _Process] = field(default_factory=dict)
    frames: dict[str, CallFrames | None] = field(default_factory=dict)

    def of(self, pid: int) -> _Process:
        if pid not in self.processes:
            # A forked child has its parent's mappings, which perf does not repeat.
            everything = [mapping for mappings in self.all_mappings.values() for mapping in mappings]
            self.processes[pid] = _Process(self.all_mappings.get(pid) or everything, self)
        return self.processes[pid]

    def rule(self, place: Place) -> Rule | None:
        image = self.symbols.image(place.module)
        if image is None:
            return None
        if place.module not in self.frames:
            self.frames[place.module] = read_call_frames(image, self.symbols.cache_folder)
        address = image.address_of(place.offset)
        frames = self.frames[place.module]
        return frames.rule_at(address - image.load_address) if frames and address is not None else None
