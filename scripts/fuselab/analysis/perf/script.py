"""The text of `perf script`, read as a stream and fast: a block of text per sample, parsed once per distinct
stack.

Lines look like this (perf 6.1, `--ns`), a stack being ended by an empty line:

    comm  pid/tid  seconds.ns:  period event: [trace fields]
    <TAB>   address symbol (module)
    comm  pid/tid  seconds.ns: PERF_RECORD_SWITCH OUT preempt
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from fuselab.analysis.perf.leaf_callers import NOTHING_MISSED, Callers
from fuselab.analysis.perf.session import explain
from fuselab.analysis.quality import NamedStack
from fuselab.analysis.symbols.demangle import foldable
from fuselab.analysis.symbols.labels import of_file
from fuselab.analysis.symbols.maps import NOTHING_MAPPED, AddressSpace, Place
from fuselab.analysis.symbols.symbolizer import Frames, Symbols

_CHUNK_BYTES = 1 << 20
_HEADER = re.compile(r"^\s*(.*?)\s+(-?\d+)/(-?\d+)\s+(\d+)\.(\d{9}):\s*(.*)$")
"""With all nine digits of the time, which are more than a thread's name has room for: it may hold anything else."""
_EVENT = re.compile(r"^(\d+)\s+(\S+?):(?=\s|$)\s*(.*)$")
_FRAME = re.compile(r"^\s*([0-9a-f]+) (.*) \(([/\[].*)\)$")
_FRAME_OF_NO_PATH = re.compile(r"^\s*([0-9a-f]+) (.*) \((.*)\)$")
"""A module need not begin with `/` or `[`: a BPF program is its own. Both are tried, because a path may hold ` (`
just as the name of a function may."""
_LOST = re.compile(r"PERF_RECORD_LOST(?:_SAMPLES)?\b.*?(?:lost\s+)?(\d+)\s*$")
_KERNEL_HALF = 1 << 63


@dataclass(frozen=True, slots=True)
class Header:
    """The first line of a sample, or the line of another record."""

    comm: str
    pid: int
    tid: int
    time_ns: int
    rest: str
    """What follows the time: `period event: ...` for a sample, `PERF_RECORD_...` for other records."""

    @property
    def is_record(self) -> bool:
        return self.rest.startswith("PERF_RECORD_")

    @property
    def is_sample(self) -> bool:
        """Not a record, and not the bare line of an event that only copies stacks."""
        return bool(self.rest) and not self.is_record

    def event(self) -> tuple[int, str, str]:
        """(period, event name, the tracepoint's fields) of a sample; a ValueError if it is none."""
        if match := _EVENT.match(self.rest):
            return int(match[1]), match[2], match[3]
        raise ValueError(f"not a sample of perf script: {self.rest[:80]!r}")


def parse_header(line: str) -> Header | None:
    """A header line, or None where perf printed something else (a warning between the samples)."""
    if match := _HEADER.match(line):
        comm, pid, tid, seconds, fraction, rest = match.groups()
        return Header(comm, int(pid), int(tid), int(seconds) * 10**9 + int(fraction.ljust(9, "0")), rest)
    return None


def read_blocks(chunks: Iterator[str]) -> Iterator[tuple[Sequence[str], str]]:
    """(header lines, stack text) per block. Only the last header line of a block owns the stack, if there is
    one.

    The stack text is kept as perf printed it, leaf first: equal stacks are equal strings, so callers count
    strings and parse each distinct one once.
    """
    rest = ""
    for chunk in chunks:
        blocks = (rest + chunk).split("\n\n")
        rest = blocks.pop()
        for block in blocks:
            head, _, stack = block.partition("\n\t")
            yield head.lstrip("\n").split("\n"), stack
    if rest.strip():
        head, _, stack = rest.rstrip("\n").partition("\n\t")
        yield head.lstrip("\n").split("\n"), stack


def run(argv: Sequence[str]) -> Iterator[str]:
    """The output of perf script in large pieces. Raises ProfileError with the meaning of perf's words if it
    fails."""
    with tempfile.TemporaryFile("w+") as errors:
        with subprocess.Popen(
            argv, stdout=subprocess.PIPE, stderr=errors, text=True, errors="replace"
        ) as process:
            assert process.stdout is not None
            try:
                while chunk := process.stdout.read(_CHUNK_BYTES):
                    yield chunk
            except GeneratorExit:
                process.kill()
                raise
        if process.returncode != 0:
            errors.seek(0)
            raise explain(errors.read())


def lost_samples(record: str) -> int:
    """Samples or switches that a record says the kernel could not store; 0 for records of other kinds."""
    match = _LOST.search(record)
    return int(match[1]) if match else 0


@dataclass(frozen=True, slots=True)
class Frame:
    """One line of a stack: a place to be named, or the name that perf found where no file can be read."""

    place: Place | None
    fallback: str
    """Function as perf names it, or `[module]`; kernel functions end in `_[k]`."""
    named: bool
    """Whether the fallback is a function's name."""
    kernel: bool = False


@dataclass(frozen=True, slots=True)
class RawStack:
    """A stack as perf printed it, and what else is known of the same moment."""

    text: str
    callers: Callers = NOTHING_MISSED
    space: AddressSpace = NOTHING_MAPPED
    """What the process had mapped."""


def parse_stack(raw: RawStack) -> list[Frame]:
    """Frames of one stack, leaf first.

    Kernel functions have perf's own names. For every user frame but the first the address is where the call
    returns to: 1 is subtracted, so that it lies within the call.
    """
    kernel: list[Frame] = []
    user: list[Frame] = []
    for line in raw.text.split("\n"):
        if not (match := _FRAME.match(line) or _FRAME_OF_NO_PATH.match(line)):
            continue
        address, symbol, module = int(match[1], 16), match[2], match[3]
        known = symbol != "[unknown]"
        if address >= _KERNEL_HALF:
            kernel.append(Frame(None, (foldable(symbol) if known else "[kernel]") + "_[k]", known, True))
            continue
        fallback = foldable(symbol) if known else of_file(module)
        place = Place(module, address - 1 if user else address, raw.space.build_id_of(module))
        user.append(Frame(None if module == "[unknown]" else place, fallback, known))
    return [*kernel, *_without_repeats(_mended(user, raw.callers))]


def _mended(user: Sequence[Frame], callers: Callers) -> Iterator[Frame]:
    """The frames of the program with the callers that were found by call frame information."""
    yield from user[:1]
    if user:
        yield from (
            Frame(place, of_file(place.module), False) if place else _NOWHERE for place in callers.places
        )
    yield from () if callers.stand_for is None else user[1 + callers.stand_for :]


def _without_repeats(frames: Iterable[Frame]) -> Iterator[Frame]:
    """A walk that went astray repeats itself up to the depth limit: once is enough."""
    before = None
    for frame in frames:
        if frame != _NOWHERE or before != _NOWHERE:
            yield frame
        before = frame


_NOWHERE = Frame(None, "[unknown]", False)


def name_stacks(stacks: Iterable[RawStack], symbols: Symbols) -> dict[RawStack, NamedStack]:
    """All stacks named in one batch. Kernel frames are counted apart: their names say nothing of the program."""
    parsed = {raw: parse_stack(raw) for raw in stacks}
    names = symbols.name({frame.place for frames in parsed.values() for frame in frames if frame.place})
    return {raw: _named(frames, names, symbols.problems) for raw, frames in parsed.items()}


def _named(frames: Sequence[Frame], names: Mapping[Place, Frames], problems: Container[str]) -> NamedStack:
    """perf's own names stand in where no file can be read, but not where it is another than the one that ran."""
    functions: list[str] = []
    own: list[bool] = []
    nameless: list[str] = []
    for frame in reversed(frames):
        found = names.get(frame.place, ()) if frame.place else ()
        if frame.place and not found and frame.place.module in problems:
            frame = Frame(frame.place, of_file(frame.place.module), False)
        functions.extend(found or (frame.fallback,))
        if frame.kernel:
            continue
        own.append(bool(found) or frame.named)
        if not own[-1] and frame.place:
            nameless.append(frame.place.module)
    in_kernel = sum(frame.named for frame in frames if frame.kernel)
    return NamedStack(tuple(functions), sum(own), len(own), in_kernel, tuple(nameless))
