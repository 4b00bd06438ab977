"""System calls by the stack that made them, from a perf recording of their beginnings and ends.

Samples are decoded here and not by `perf script`: it would unwind each copied stack by itself, and the same event is
recorded twice, for the walk along frame pointers and for the copy (`leaf_callers`).
"""

from __future__ import annotations

import struct
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fuselab.analysis.folded import Stacks
from fuselab.analysis.perf import data as layout
from fuselab.analysis.perf.complaints import require_file
from fuselab.analysis.perf.data import PerfData, opened
from fuselab.analysis.perf.leaf_callers import read_leaf_callers
from fuselab.analysis.perf.mappings import modules_of
from fuselab.analysis.perf.stacks import RawStack, name_stacks
from fuselab.analysis.perf.tracepoints import LOST, formats_in
from fuselab.analysis.quality import Quality, grade
from fuselab.analysis.symbols.labels import thread_frame
from fuselab.analysis.symbols.maps import AddressSpace
from fuselab.analysis.symbols.symbolizer import Symbols
from fuselab.errors import LONGER, ProfileError

_COMM, _SAMPLE = 3, 9
_KERNEL_HALF = 1 << 63
_WORDS = layout.ADDR | layout.ID | layout.STREAM_ID | layout.CPU | layout.PERIOD


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


@dataclass(frozen=True, slots=True)
class _Sample:
    enters: bool
    pid: int
    tid: int
    time_ns: int
    chain: bytes
    number: int
    result: int


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
        threads, lost = _threads(file)
        for sample in sorted(_samples(file), key=lambda sample: sample.time_ns):
            name = names.get(sample.number, f"system call {sample.number}")
            if sample.enters:
                space = modules.at(sample.pid, sample.time_ns)
                raw = RawStack(_text(sample.chain, space), missed.at(sample.tid, sample.time_ns), space)
                key = (threads.get(sample.tid, "?"), raw, name)
                counts[key] += 1
                by_name[name].calls += 1
                begun[sample.tid] = (sample.number, sample.time_ns, key)
            elif sample.tid in begun:
                number, start_ns, key = begun.pop(sample.tid)
                if number == sample.number:
                    times[key] += sample.time_ns - start_ns
                    by_name[name].inside_ns += sample.time_ns - start_ns
                    if -4096 < sample.result < 0:
                        by_name[name].errors[-sample.result] += 1
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


def _samples(file: PerfData) -> Iterator[_Sample]:
    """Beginnings with their chains, and ends."""
    formats = formats_in(file)
    wanted: dict[int, tuple[bool, int]] = {}
    for entry in file.attributes:
        event = formats.get(file.word(entry + 8))
        kind = file.word(entry + 24)
        if event is None or file.word(entry) & 0xFFFFFFFF != 2 or kind & layout.STACK_USER:
            continue
        first, size = (file.word(entry + file.entry_bytes - at) for at in (16, 8))
        for at in range(first, first + size, 8):
            wanted[file.word(at)] = (event[1] == b"sys_enter", kind)
    for record, _, at, size in file.records():
        described = wanted.get(file.word(at + 8)) if record == _SAMPLE else None
        if described:
            yield _sample(file.content[at + 16 : at + size], *described)


def _sample(body: bytes, enters: bool, kind: int) -> _Sample:
    """One sample, from behind its identifier."""
    at = 8 if kind & layout.IP else 0
    pid, tid, time_ns = struct.unpack_from("<iiQ", body, at)
    at += 16 + 8 * (kind & _WORDS).bit_count()
    chain = b""
    if kind & layout.CALLCHAIN:
        length = 8 * struct.unpack_from("<Q", body, at)[0]
        chain = body[at + 8 : at + 8 + length]
        at += 8 + length
    number, result = struct.unpack_from("<qq", body, at + 12)
    return _Sample(enters, pid, tid, time_ns, chain, number, result)


def _threads(file: PerfData) -> tuple[dict[int, str], int]:
    """The last name of each thread, and how many records were lost."""
    names: dict[int, str] = {}
    lost, counts = 0, dict(LOST)
    for record, _, at, size in file.records():
        if record == _COMM:
            tid = int.from_bytes(file.content[at + 12 : at + 16], "little")
            names[tid] = file.content[at + 16 : at + size].split(b"\0", 1)[0].decode(errors="replace")
        elif record in counts:
            lost += file.word(at + counts[record])
    return names, lost
