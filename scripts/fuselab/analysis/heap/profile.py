"""Live memory of one run from its jemalloc dumps: the fullest moment by stack, all of them over time."""

from __future__ import annotations

import heapq
import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from fuselab.analysis.folded import Stacks
from fuselab.analysis.heap.caveats import (
    SAMPLE_MORE,
    caveats,
    looked_at_while_running,
    no_dumps,
    of_others,
    of_several,
)
from fuselab.analysis.heap.dump import Estimate, HeapDump, Kind, parse_name, unbias
from fuselab.analysis.heap.processes import HeapProcess, of_all, of_target, read_all, without_inherited
from fuselab.analysis.heap.stacks import HeapStack, name_stacks
from fuselab.analysis.quality import Quality, grade
from fuselab.analysis.symbols.symbolizer import Symbols
from fuselab.errors import LONGER, ProfileError


@dataclass(frozen=True, slots=True)
class HeapPoint:
    """One dump on the time line: what all processes of the target held then, as far as their dumps tell."""

    pid: int
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
    """Memory of one folded stack: in the first dumps, at the fullest moment, in the last dumps."""

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
    """Sampled, not yet estimated, counts of one original stack at the fullest moment, as jeprof wants them."""

    stack: tuple[str, ...]
    objects: int
    bytes: int


@dataclass(frozen=True)
class Heap:
    """What the dumps of one run say."""

    stacks: Stacks
    """Fullest moment (a program that stops cleanly has freed all by its last dump): functions root first, without the
    allocator's -> live bytes (estimated)."""
    memory: tuple[StackMemory, ...]
    """The same stacks with their growth and error, largest first; also those only in other dumps."""
    timeline: tuple[HeapPoint, ...]
    samples: tuple[Sample, ...]
    mean_sample_bytes: int
    pid: int
    """Of the process that serves the mount, or that left most dumps."""
    final: bool
    """Whether every process wrote a last dump at exit. If not, it is older than the end of the run."""
    quality: Quality
    caveats: tuple[str, ...] = ()
    """What takes something from the picture, as sentences."""
    remarks: tuple[str, ...] = ()

    @property
    def last_bytes(self) -> float:
        """Live in the last dump of every process."""
        return sum(row.last_bytes for row in self.memory)

    @property
    def peak(self) -> HeapPoint:
        """The moment with the most live bytes: the one that `stacks` shows."""
        return max(self.timeline, key=lambda point: point.live_bytes)

    @property
    def relative_error(self) -> float:
        """Standard error of the fullest moment's live bytes, as a share of them."""
        return self.peak.sd_bytes / self.peak.live_bytes if self.peak.live_bytes else 0.0


def read_heap(
    files: Iterable[Path],
    symbols: Symbols | None = None,
    pid: int | None = None,
    family: Iterable[int] = (),
    program: Path | None = None,
    build_ids: Mapping[str, str] | None = None,
    log: str = "",
    everybody: bool = False,
) -> Heap:
    """Read all dumps of one run; files that are no dumps are passed over.

    `pid` is the process that serves the mount; with it, other processes of the target count too: those of `family` (if
    none of these left a dump, those that run `program`), and their forks. Without it, the process that left most dumps
    is meant. `build_ids` are those that the capture noted, by path: a file that is another by now names nothing. `log`
    is the target's stderr, searched for jemalloc's own complaint when there are no dumps. `everybody`: every process
    that left a dump counts. Raises ProfileError where there is nothing, or nothing but dumps from the exit.
    """
    names = [name for file in files if (name := parse_name(file))]
    if not names:
        raise no_dumps(log)
    found, broken = read_all(names, build_ids or {})
    last = of_all(found) if everybody else found[:1]
    ours = last if pid is None else of_target(found, pid, family, program)
    if not ours:
        raise of_others(pid, found)
    looked_at = [without_inherited(process, found) for process in looked_at_while_running(ours)]
    return _summed(looked_at, symbols or Symbols(), caveats(looked_at, pid, broken))


@dataclass(frozen=True)
class _Dump:
    """A dump with names, without what the runtime allocated before the program began."""

    dump: HeapDump
    names: Mapping[str, HeapStack]

    @cached_property
    def estimates(self) -> Mapping[str, Estimate]:
        return {
            key: unbias(count, size, self.dump.mean_sample_bytes)
            for key, (count, size) in self.dump.stacks.items()
            if not self.names[key].startup
        }

    @cached_property
    def total(self) -> Estimate:
        return Estimate.added(self.estimates.values())


def _with_names(processes: Sequence[HeapProcess], symbols: Symbols) -> list[list[_Dump]]:
    """The dumps of each process, in their order."""
    dumps = [dump for process in processes for dump in process.dumps]
    named = iter(zip(dumps, name_stacks(dumps, symbols), strict=True))
    return [[_Dump(*next(named)) for _ in process.dumps] for process in processes]


def _moments(processes: Sequence[Sequence[_Dump]]) -> Iterator[tuple[_Dump, tuple[_Dump, ...]]]:
    """Every dump in the order of time, with the latest dump of each process that ran then.

    Files of one tick of the kernel's clock (4 ms) have one time: who ended in it was there until its end.
    """
    running: dict[int, _Dump] = {}
    clocks = ([dump.dump.written_ns for dump in dumps] for dumps in processes)
    timed = (
        # A copy of a file may be younger than what it was copied before: within a process the numbers tell.
        zip(itertools.accumulate(clock, max), dumps, strict=True)
        for clock, dumps in zip(clocks, processes, strict=True)
    )
    for _, dump in heapq.merge(*timed, key=lambda item: (item[0], item[1].dump.name.kind == "final")):
        running[dump.dump.name.pid] = dump
        yield dump, tuple(running.values())
        if dump.dump.name.kind == "final":
            del running[dump.dump.name.pid]


def _point(dump: _Dump, running: Sequence[_Dump]) -> HeapPoint:
    live, name = Estimate.added(each.total for each in running), dump.dump.name
    written_ns = dump.dump.written_ns
    return HeapPoint(name.pid, name.seq, name.kind, written_ns, live.bytes, live.objects, live.sd_bytes)


def _summed(looked_at: Sequence[HeapProcess], symbols: Symbols, caveats: tuple[str, ...]) -> Heap:
    """All processes together: the timeline, and the moment when most was live."""
    processes = _with_names(looked_at, symbols)
    moments = list(_moments(processes))
    timeline = tuple(_point(*moment) for moment in moments)
    fullest = moments[max(range(len(moments)), key=lambda number: timeline[number].live_bytes)][1]
    if not any(dump.estimates for dump in fullest):
        raise ProfileError("no dump holds a sampled object of the program.", f"{LONGER} {SAMPLE_MORE}")
    sampled = [(dump.names[key], *dump.dump.stacks[key]) for dump in fullest for key in dump.estimates]
    quality = grade([(name.whole, size) for name, _, size in sampled], symbols.problems)
    memory = _memory(
        [dumps[0] for dumps in processes if len(dumps) > 1], fullest, [dumps[-1] for dumps in processes]
    )
    return Heap(
        stacks={row.stack: round(row.peak_bytes) for row in memory if row.peak_bytes >= 0.5},
        memory=memory,
        timeline=timeline,
        samples=tuple(Sample(name.folded, count, size) for name, count, size in sampled),
        mean_sample_bytes=looked_at[0].dumps[-1].mean_sample_bytes,
        pid=looked_at[0].pid,
        final=all(process.ended for process in looked_at),
        quality=quality,
        caveats=caveats,
        remarks=of_several(looked_at),
    )


def _memory(
    first: Sequence[_Dump], fullest: Sequence[_Dump], last: Sequence[_Dump]
) -> tuple[StackMemory, ...]:
    """A process with one dump has no first: nothing grew."""
    before, peak, after = (_by_stack(dumps) for dumps in (first, fullest, last))
    nothing = Estimate()
    rows = [
        StackMemory(
            stack=stack,
            first_bytes=before.get(stack, nothing).bytes,
            last_bytes=after.get(stack, nothing).bytes,
            peak_bytes=(most := peak.get(stack, nothing)).bytes,
            peak_objects=most.objects,
            peak_sd_bytes=most.sd_bytes,
        )
        for stack in {**peak, **after, **before}
    ]
    return tuple(sorted(rows, key=lambda row: (-row.peak_bytes, row.stack)))


def _by_stack(dumps: Sequence[_Dump]) -> dict[tuple[str, ...], Estimate]:
    """Estimates by folded stack."""
    parts: defaultdict[tuple[str, ...], list[Estimate]] = defaultdict(list)
    for dump in dumps:
        for key, estimate in dump.estimates.items():
            parts[dump.names[key].folded].append(estimate)
    return {stack: Estimate.added(estimates) for stack, estimates in parts.items()}
