"""System calls by the stack that made them, from a perf recording of their beginnings and ends.

Samples are decoded here and not by `perf script`: it would unwind each copied stack by itself, and the same event is
recorded twice, for the walk along frame pointers and for the copy (`leaf_callers`).
"""

from __future__ import annotations

import struct
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fuselab.analysis.folded import Stacks
from fuselab.analysis.perf import data as layout
from fuselab.analysis.perf.complaints import require_file
from fuselab.analysis.perf.data import LOST, PerfData, Sample, opened
from fuselab.analysis.perf.leaf_callers import read_leaf_callers
from fuselab.analysis.perf.mappings import modules_of
from fuselab.analysis.perf.stacks import RawStack, name_stacks
from fuselab.analysis.perf.threads import thread_names
from fuselab.analysis.perf.tracepoints import TRACEPOINT, formats_in
from fuselab.analysis.quality import Quality, grade
from fuselab.analysis.symbols.labels import thread_frame
from fuselab.analysis.symbols.maps import AddressSpace
from fuselab.analysis.symbols.symbolizer import Symbols
from fuselab.errors import LONGER, ProfileError
from fuselab.system.tracefs import ENTER

_KERNEL_HALF = 1 << 63
_NUMBERS = struct.Struct("<8xqq")
"""Of raw_syscalls: the call's number, and of an end its result."""


@dataclass
class OfCall:
    """All calls of one name."""

    calls: int = 0
    inside_ns: int = 0
    """Of those that have returned."""
    errors: Counter[int] = field(default_factory=Counter)
    """By errno."""


@dataclass(frozen=True)
class SystemCalls:
    """The system calls of one capture."""

    counts: Stacks
    """Root first, from the thread's name to the call -> how often."""
    inside_ns: Stacks
    """The same -> time from the call to its return."""
    by_name: Mapping[str, OfCall]
    lost: int
    quality: Quality


def read_syscalls(data: Path, names: Mapping[int, str], symbols: Symbols | None = None) -> SystemCalls:
    """Fold one perf.data written by `syscalls_record_argv`; `names` are those of the calls' numbers.

    A call that has not returned within the recording is counted, and has no time. Raises ProfileError for a file that
    is missing or empty, and where no call was recorded.
    """
    require_file(data)
    symbols = symbols or Symbols()
    modules = modules_of(data, symbols)
    missed = read_leaf_callers(data, modules, symbols)
    counts: Counter[tuple[str, RawStack, str]] = Counter()
    times: Counter[tuple[str, RawStack, str]] = Counter()
    by_name: defaultdict[str, OfCall] = defaultdict(OfCall)
    begun: dict[int, tuple[int, int, tuple[str, RawStack, str]]] = {}
    with opened(data) as file:
        threads, lost = thread_names(file), _lost(file)
        for enters, sample in _calls(file):
            called, result = _NUMBERS.unpack_from(sample.raw)
            name = names.get(called, f"system call {called}")
            if enters:
                space = modules.at(sample.pid, sample.time_ns)
                raw = RawStack(_text(sample.chain, space), missed.at(sample.tid, sample.time_ns), space)
                key = (threads.at(sample.tid, sample.time_ns), raw, name)
                counts[key] += 1
                by_name[name].calls += 1
                begun[sample.tid] = (called, sample.time_ns, key)
            elif sample.tid in begun:
                number, start_ns, key = begun.pop(sample.tid)
                if number == called:
                    times[key] += sample.time_ns - start_ns
                    by_name[name].inside_ns += sample.time_ns - start_ns
                    if -4096 < result < 0:
                        by_name[name].errors[-result] += 1
    if not counts:
        raise ProfileError(
            "perf recorded no system call: the target made none in the measured window.", LONGER
        )
    return _fold(counts, times, dict(by_name), lost, symbols)


def _fold(
    counts: Counter[tuple[str, RawStack, str]],
    times: Counter[tuple[str, RawStack, str]],
    by_name: Mapping[str, OfCall],
    lost: int,
    symbols: Symbols,
) -> SystemCalls:
    named = name_stacks({raw for _, raw, _ in counts}, symbols)

    def fold(values: Mapping[tuple[str, RawStack, str], int]) -> Stacks:
        stacks: Counter[tuple[str, ...]] = Counter()
        for (thread, raw, call), value in values.items():
            stacks[(thread_frame(thread), *named[raw].functions, call)] += value
        return dict(stacks)

    weights = [(named[raw], count) for (_, raw, _), count in counts.items()]
    return SystemCalls(fold(counts), fold(times), by_name, lost, grade(weights, symbols.problems))


def _text(chain: bytes, space: AddressSpace) -> str:
    """The user's part of a chain of addresses as `perf script` prints it, leaf first."""
    lines = []
    for (address,) in struct.iter_unpack("<Q", chain):
        if address < _KERNEL_HALF:
            place = space.locate(address)
            lines.append(
                f"{place.offset:x} [unknown] ({place.module})"
                if place
                else f"{address:x} [unknown] ([unknown])"
            )
    return "\n".join(lines)


def _calls(file: PerfData) -> list[tuple[bool, Sample]]:
    """Beginnings with their chains (True), and ends, in the order of time."""
    formats = formats_in(file)
    kinds: dict[int, int] = {}
    begins: set[int] = set()
    for event in file.events():
        described = formats.get(event.config) if event.type == TRACEPOINT else None
        if described and not event.sample_type & layout.STACK_USER:
            kinds |= dict.fromkeys(event.ids, event.sample_type)
            if described.name == ENTER:
                begins |= set(event.ids)
    found = [(identifier in begins, sample) for identifier, sample in file.samples(kinds)]
    return sorted(found, key=lambda call: call[1].time_ns)


def _lost(file: PerfData) -> int:
    """How many records were lost."""
    counts = dict(LOST)
    return sum(file.word(at + counts[record]) for record, _, at, _ in file.records() if record in counts)
