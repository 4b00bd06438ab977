"""Live memory of one run from its jemalloc dumps: the final one by stack, all of them over time."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fuselab.analysis import allocator
from fuselab.analysis.heap_dump import (
    DumpName,
    Estimate,
    HeapDump,
    Kind,
    addresses_of,
    parse_name,
    read_dump,
    unbias,
)
from fuselab.analysis.maps import locate
from fuselab.analysis.own_numbers import of_file
from fuselab.analysis.refusal import LONGER, Refusal
from fuselab.analysis.stacks import NamedStack, Quality, Stacks, grade
from fuselab.analysis.symbols import Symbols

SAMPLE_MORE = (
    "A smaller lg_prof_sample samples more often: write it into MALLOC_CONF (_RJEM_MALLOC_CONF for tikv-jemallocator) "
    "in `env` of jemalloc-heap in target.yaml, with LD_PRELOAD beside it where jemalloc is preloaded."
)
_NO_PROFILING = re.compile(r"<jemalloc>: Invalid conf pair: (prof\S*)")


@dataclass(frozen=True, slots=True)
class HeapPoint:
    """One dump on the time line."""

    seq: int
    kind: Kind
    written_ns: int
    """Epoch; when the dump was complete."""
    live_bytes: float
    live_objects: float
    sd_bytes: float
    """Standard error of live_bytes from sampling."""


@dataclass(frozen=True, slots=True)
class StackMemory:
    """Memory of one folded stack in the first, the fullest and the last dump."""

    stack: tuple[str, ...]
    first_bytes: float
    last_bytes: float
    peak_bytes: float
    peak_objects: float
    peak_sd_bytes: float

    @property
    def growth_bytes(self) -> float:
        return self.last_bytes - self.first_bytes


@dataclass(frozen=True, slots=True)
class Sample:
    """Sampled, not yet estimated, counts of one original stack of the fullest dump, as jeprof wants them."""

    stack: tuple[str, ...]
    objects: int
    bytes: int


@dataclass(frozen=True)
class Heap:
    """What the dumps of one run say."""

    stacks: Stacks
    """Fullest dump (a program that stops cleanly has freed all by its last): functions root first, without the
    allocator's -> live bytes (estimated)."""
    memory: tuple[StackMemory, ...]
    """The same stacks with their growth and error, largest first; also those only in other dumps."""
    timeline: tuple[HeapPoint, ...]
    samples: tuple[Sample, ...]
    mean_sample_bytes: int
    pid: int
    final: bool
    """Whether the last dump was written at exit. If not, it is older than the end of the run."""
    quality: Quality

    @property
    def last(self) -> HeapPoint:
        return self.timeline[-1]

    @property
    def peak(self) -> HeapPoint:
        """The dump with the most live bytes: the one that `stacks` shows."""
        return max(self.timeline, key=lambda point: point.live_bytes)

    @property
    def relative_error(self) -> float:
        """Standard error of the fullest dump's live bytes, as a share of them."""
        return self.peak.sd_bytes / self.peak.live_bytes if self.peak.live_bytes else 0.0


def read_heap(
    files: Iterable[Path],
    symbols: Symbols | None = None,
    pid: int | None = None,
    require_final: bool = True,
    log: str = "",
) -> Heap:
    """Read all dumps of one run; files that are no dumps are passed over.

    `pid` chooses the process where several left dumps (default: the one with the most). `log` is the
    target's stderr, searched for jemalloc's own complaint when there are no dumps. Raises Refusal where
    there is nothing, or, with `require_final`, where the dump at exit is missing.
    """
    symbols = symbols or Symbols()
    dumps = [read_dump(name) for name in _choose(files, pid, log, require_final)]
    last = dumps[-1]
    timeline = tuple(_point(dump) for dump in dumps)
    peak = dumps[max(range(len(dumps)), key=lambda number: timeline[number].live_bytes)]
    if not peak.stacks:
        raise Refusal("no dump holds a sampled object.", f"{LONGER} {SAMPLE_MORE}")
    named = _name_all(dumps, symbols)
    folded = {key: allocator.trim(stack.functions) for key, stack in named.items()}
    weights = [(named[key], size) for key, (_, size) in peak.stacks.items()]
    memory = _memory(dumps[0], peak, last, folded)
    return Heap(
        stacks={row.stack: round(row.peak_bytes) for row in memory if row.peak_bytes >= 0.5},
        memory=memory,
        timeline=timeline,
        samples=tuple(Sample(folded[key], count, size) for key, (count, size) in peak.stacks.items()),
        mean_sample_bytes=last.mean_sample_bytes,
        pid=last.name.pid,
        final=last.name.kind == "final",
        quality=grade(weights, symbols.problems),
    )


def dump_of(file: Path, pid: int | None) -> bool:
    """Whether `file` is a dump of the process `pid` (of any, if it is None)."""
    name = parse_name(file)
    return name is not None and pid in (None, name.pid)


def _choose(files: Iterable[Path], pid: int | None, log: str, require_final: bool) -> Sequence[DumpName]:
    """The dumps of one process in the order they were written."""
    by_pid: dict[int, list[DumpName]] = defaultdict(list)
    for file in files:
        if name := parse_name(file):
            by_pid[name.pid].append(name)
    if pid is not None and pid not in by_pid and by_pid:
        raise Refusal(
            f"no heap dump of the process that serves the mount ({pid}), only of {sorted(by_pid)}.",
            "Let the target stay in the foreground (`-f` for most) and exit through main.",
        )
    if not by_pid:
        raise _no_dumps(log)
    chosen = by_pid[pid] if pid is not None else max(by_pid.values(), key=len)
    chosen.sort(key=lambda name: name.seq)
    if require_final and chosen[-1].kind != "final":
        raise Refusal(
            f"{len(chosen)} heap dumps, but not the one at exit: jemalloc writes it from atexit, so the "
            "target was "
            "killed or left through _exit.",
            "Let the target leave through main on the stop signal, within the `timeout` of `stop`; prof_final must "
            "be true.",
        )
    return chosen


def _no_dumps(log: str) -> Refusal:
    if match := _NO_PROFILING.search(log):
        return Refusal(
            f"jemalloc refused {match[1]}: this build's jemalloc has no profiling compiled in.",
            "Name the feature that compiles it in (jemalloc-profiling) in `features` of jemalloc-heap in target.yaml; "
            "or leave jemalloc-heap out of target.yaml: then Debian's libjemalloc is preloaded.",
        )
    return Refusal(
        "no heap dumps: either the target's allocator is not jemalloc with profiling, it did not see the "
        "setting, or "
        "it was killed before its final dump.",
        "In target.yaml jemalloc-heap needs `features` with jemalloc-profiling and `env` with _RJEM_MALLOC_CONF for "
        "tikv-jemallocator (MALLOC_CONF for other builds): prof:true,prof_final:true. Let the target leave through "
        "main.",
    )


def _name_all(dumps: Sequence[HeapDump], symbols: Symbols) -> dict[str, NamedStack]:
    """Every stack of every dump, named in one batch."""
    mappings = {mapping: None for dump in dumps for mapping in dump.mappings}
    stacks = {stack: addresses_of(stack) for dump in dumps for stack in dump.stacks}
    addresses = {address for stack in stacks.values() for address in stack}
    places = {address: locate(address, tuple(mappings)) for address in addresses}
    names = symbols.name(place for place in places.values() if place)

    def frames(address: int) -> tuple[tuple[str, ...], bool]:
        place = places[address]
        if place is None:
            return ("[unknown]",), False
        if allocator.OWN_MODULES.search(place.module):
            # Its internals are not exported: a name nearby would be wrong, and all of it is the allocator.
            return ("malloc",), True
        return (names[place], True) if names[place] else ((of_file(place.module),), False)

    known = {address: frames(address) for address in addresses}
    return {
        key: NamedStack(
            tuple(name for address in reversed(stack) for name in known[address][0]),
            sum(known[address][1] for address in stack),
            len(stack),
            nameless=tuple(
                place.module for address in stack if not known[address][1] and (place := places[address])
            ),
        )
        for key, stack in stacks.items()
    }


def _estimates(dump: HeapDump) -> dict[str, Estimate]:
    return {key: unbias(count, size, dump.mean_sample_bytes) for key, (count, size) in dump.stacks.items()}


def _point(dump: HeapDump) -> HeapPoint:
    estimates = _estimates(dump).values()
    return HeapPoint(
        seq=dump.name.seq,
        kind=dump.name.kind,
        written_ns=dump.written_ns,
        live_bytes=sum(estimate.bytes for estimate in estimates),
        live_objects=sum(estimate.objects for estimate in estimates),
        sd_bytes=sum(estimate.variance_bytes2 for estimate in estimates) ** 0.5,
    )


def _memory(
    first: HeapDump, peak: HeapDump, last: HeapDump, folded: Mapping[str, tuple[str, ...]]
) -> tuple[StackMemory, ...]:
    """A run with one dump has no first: nothing grew."""
    before = _live(first, folded) if first is not last else {}
    after, fullest = _live(last, folded), _live(peak, folded)
    objects: defaultdict[tuple[str, ...], float] = defaultdict(float)
    variance: defaultdict[tuple[str, ...], float] = defaultdict(float)
    for key, estimate in _estimates(peak).items():
        objects[folded[key]] += estimate.objects
        variance[folded[key]] += estimate.variance_bytes2
    rows = [
        StackMemory(
            stack=stack,
            first_bytes=before.get(stack, 0.0),
            last_bytes=after.get(stack, 0.0),
            peak_bytes=fullest.get(stack, 0.0),
            peak_objects=objects[stack],
            peak_sd_bytes=variance[stack] ** 0.5,
        )
        for stack in {**fullest, **after, **before}
    ]
    return tuple(sorted(rows, key=lambda row: (-row.peak_bytes, row.stack)))


def _live(dump: HeapDump, folded: Mapping[str, tuple[str, ...]]) -> dict[tuple[str, ...], float]:
    """Estimated live bytes by folded stack."""
    live: defaultdict[tuple[str, ...], float] = defaultdict(float)
    for key, estimate in _estimates(dump).items():
        live[folded[key]] += estimate.bytes
    return dict(live)
