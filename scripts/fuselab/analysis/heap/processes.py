"""Whose dumps they are: the processes of a target that left any, and what each has of its own.

A process that forks hands its heap on, jemalloc's records of it included: what the child dumps holds what the parent
had. The numbers of its dumps go on where the parent's stood, so the parent's last dump before the fork is known, and
what stands in it is the parent's.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from fuselab.analysis.heap.dump import DumpName, HeapDump, read_dump
from fuselab.errors import ProfileError

Image = tuple[int, str]
"""Where the program lies, and its file: alike in a parent and its forks, and in no two programs that were started."""


@dataclass(frozen=True)
class HeapProcess:
    """One program that ran in one process, and its dumps in the order they were written."""

    pid: int
    image: Image | None
    dumps: tuple[HeapDump, ...]
    forked_from: int | None = None
    """Whose memory was taken from its dumps."""

    @property
    def first_seq(self) -> int:
        return self.dumps[0].name.seq

    @property
    def ended(self) -> bool:
        """Whether the last dump was written at exit."""
        return self.dumps[-1].name.kind == "final"

    @property
    def only_exit(self) -> bool:
        """Whether it was never looked at while it ran: nothing is known of what it held."""
        return all(dump.name.kind == "final" for dump in self.dumps)


def read_all(names: Iterable[DumpName], build_ids: Mapping[str, str]) -> tuple[list[HeapProcess], list[str]]:
    """Every process that left dumps, and why some could not be read. Raises ProfileError where none could.

    `build_ids` are those that the capture noted, by path.
    """
    found: defaultdict[tuple[int, Image | None], list[HeapDump]] = defaultdict(list)
    broken: list[ProfileError] = []
    for name in names:
        try:
            dump = read_dump(name, build_ids)
        except ProfileError as error:
            broken.append(error)
        else:
            image = next(((mapped.start, mapped.module) for mapped in dump.mappings), None)
            found[name.pid, image].append(replace(dump, stacks=_as_asked(dump)))
    if broken and not found:
        raise broken[-1]
    processes = [
        HeapProcess(pid, image, tuple(sorted(dumps, key=lambda dump: dump.name.seq)))
        for (pid, image), dumps in found.items()
    ]
    processes.sort(key=lambda process: (-len(process.dumps), process.pid))
    return processes, [error.reason for error in broken]


def _as_asked(dump: HeapDump) -> Mapping[str, tuple[int, int]]:
    """Stacks of large blocks with the bytes that were asked for, where `tools/heap-peaks` noted these.

    jemalloc counts the size classes to which it rounds up, four to a doubling: 100 MiB in one block are 112 to it.
    """
    noted = dump.name.file.with_name(f"{dump.name.prefix}.{dump.name.pid}.asked")
    if not noted.is_file():
        return dump.stacks
    lines = (line.split() for line in noted.read_text().splitlines())
    asked = {int(line[0]): int(line[1]) for line in lines if len(line) == 2}
    smallest = min(asked, default=0) * (1 - _SAME_CLASS)

    def scaled(objects: int, size: int) -> int:
        mean = size / objects if objects else 0
        if mean < smallest:
            return size
        near = next((known for known in asked if abs(mean - known) < known * _SAME_CLASS), 0)
        return round(size * asked[near] / near) if near and _ROUNDED * near < asked[near] <= near else size

    return {stack: (objects, scaled(objects, size)) for stack, (objects, size) in dump.stacks.items()}


_SAME_CLASS = 0.001
_ROUNDED = 0.79
"""The smallest share of a size class that a block in it asks for: anything below is a file that was cut."""


def of_target(
    processes: Sequence[HeapProcess], pid: int, family: Iterable[int], program: Path | None
) -> list[HeapProcess]:
    """Those of the target, the one that serves the mount (`pid`) first; empty where none is.

    They are the server and the pids of `family`; where these left nothing, whoever runs `program`; and whatever was
    forked from one of them. Helpers that a target starts (`umount`, `sync`) run another program, and a target that was
    mounted before the load, for its preparation, is another process. A process that became another program counts as
    the last one that it was.
    """
    last = of_all(processes)
    known = [process for process in last if process.pid in {pid, *family}]
    started = known or [p for p in last if p.image and program and _same(p.image[1], program)]
    images = {process.image for process in started if process.image}
    chosen = [process for process in last if process in started or process.image in images]
    return sorted(chosen, key=lambda process: process.pid != pid)


def of_all(processes: Sequence[HeapProcess]) -> list[HeapProcess]:
    """Every one, as the last program that it was."""
    latest = {process.pid: process for process in sorted(processes, key=lambda p: p.dumps[-1].written_ns)}
    return [process for process in processes if latest[process.pid] is process]


def _same(module: str, program: Path) -> bool:
    """By its name where it was moved since: builds lie where they were made, attempts do not."""
    return Path(module) == program or Path(module.removesuffix(" (deleted)")).name == program.resolve().name


def without_inherited(process: HeapProcess, processes: Sequence[HeapProcess]) -> HeapProcess:
    """A fork with what its parent held in its last dump before the fork taken away; any other as it is.

    What the parent had freed between that dump and the fork is taken away too, where the child allocated as much by
    the same stack.
    """
    before = process.first_seq - 1
    parents = [
        (-other.first_seq, dump.written_ns, other.pid, dump)
        for other in processes
        if other.pid != process.pid and other.image == process.image
        for dump in other.dumps
        if dump.name.seq == before and dump.written_ns <= process.dumps[0].written_ns
    ]
    if not parents:
        return process
    # A sibling may have a dump of that number too: who was there first is the parent.
    *_, parent, inherited = max(parents, key=lambda found: found[:3])
    dumps = tuple(replace(dump, stacks=_less(dump, inherited)) for dump in process.dumps)
    return replace(process, dumps=dumps, forked_from=parent)


def _less(dump: HeapDump, inherited: HeapDump) -> dict[str, tuple[int, int]]:
    return {
        stack: (objects - before[0], size - before[1])
        for stack, (objects, size) in dump.stacks.items()
        if objects > (before := inherited.stacks.get(stack, (0, 0)))[0] and size > before[1]
    }
