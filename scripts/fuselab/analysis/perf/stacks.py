"""Stacks as perf prints them, with the frames that it missed put back and every frame named."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from fuselab.analysis.folded import Stacks
from fuselab.analysis.perf.leaf_callers import NOTHING_MISSED, Callers
from fuselab.analysis.quality import NamedStack
from fuselab.analysis.symbols.demangle import foldable
from fuselab.analysis.symbols.labels import of_file, thread_frame
from fuselab.analysis.symbols.maps import NOTHING_MAPPED, AddressSpace, Place
from fuselab.analysis.symbols.symbolizer import Frames, Symbols

_FRAME = re.compile(r"^\s*([0-9a-f]+) (.*) \(([/\[].*)\)$")
_FRAME_OF_NO_PATH = re.compile(r"^\s*([0-9a-f]+) (.*) \((.*)\)$")
"""A module need not begin with `/` or `[`: a BPF program is its own. Both are tried, because a path may hold ` (`
just as the name of a function may."""
_KERNEL_HALF = 1 << 63


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
    mended = [*_mended(user, raw.callers)]
    # A walk that went astray repeats itself up to the depth limit: once is enough.
    whole = (frame for before, frame in pairwise((None, *mended)) if not before == frame == _NOWHERE)
    return [*kernel, *filter(None, whole)]


def _mended(user: Sequence[Frame], callers: Callers) -> Iterator[Frame]:
    """The frames of the program with the callers that were found by call frame information."""
    yield from user[:1]
    if user:
        yield from (
            Frame(place, of_file(place.module), False) if place else _NOWHERE for place in callers.places
        )
    yield from () if callers.stand_for is None else user[1 + callers.stand_for :]


_NOWHERE = Frame(None, "[unknown]", False)


def name_stacks(stacks: Iterable[RawStack], symbols: Symbols) -> dict[RawStack, NamedStack]:
    """All stacks named in one batch. Kernel frames are counted apart: their names say nothing of the program."""
    parsed = {raw: parse_stack(raw) for raw in stacks}
    names = symbols.name({frame.place for frames in parsed.values() for frame in frames if frame.place})
    return {raw: _named(frames, names, symbols.problems) for raw, frames in parsed.items()}


def fold(values: Mapping[tuple[str, RawStack], int], named: Mapping[RawStack, NamedStack]) -> Stacks:
    """Values by (thread name, stack), where the same threads and functions meet."""
    stacks: Counter[tuple[str, ...]] = Counter()
    for (comm, raw), value in values.items():
        stacks[(thread_frame(comm), *named[raw].functions)] += value
    return dict(stacks)


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
