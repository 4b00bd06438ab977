"""Call frame information: how to find a caller where no frame pointer says it.

`symbolic` turns a module's .eh_frame into text lines (Breakpad's `STACK CFI`), which are kept on disk by
build id. An expression is postfix: `$rsp 16 +` adds, `^` reads a word of memory.
"""

from __future__ import annotations

import os
import re
import tempfile
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from fuselab.analysis.elf import ElfImage
from fuselab.analysis.symcache import default_folder

_FUNCTION = re.compile(rb"^STACK CFI INIT ([0-9a-f]+) ([0-9a-f]+) (.*)$", re.M)
_CFA = re.compile(rb"\.cfa: \$(rsp|rbp) (-?\d+) \+")
_SAVED_BP = re.compile(rb"\$rbp: \.cfa (-?\d+) \+ \^")


@dataclass(frozen=True, slots=True)
class Rule:
    """The frame at one address: canonical frame address = register + offset; the caller's address lies below
    it."""

    register: str
    """`rsp`, or `rbp` where the function keeps a frame pointer."""
    offset: int
    saved_bp: int | None
    """Offset from the canonical frame address at which the caller's rbp is kept; None if it is still in
    rbp."""


@dataclass
class CallFrames:
    """The rules of one module."""

    text: bytes
    _starts: list[int] = field(default_factory=list)
    _spans: list[tuple[int, int]] = field(default_factory=list)
    """(size of the function, position of its first line), in the order of `_starts`."""

    def __post_init__(self) -> None:
        found = sorted((int(m[1], 16), int(m[2], 16), m.start()) for m in _FUNCTION.finditer(self.text))
        self._starts = [start for start, _, _ in found]
        self._spans = [(size, position) for _, size, position in found]

    def rule_at(self, address: int) -> Rule | None:
        """The rule for an address counted from the module's load address; None where nothing simple is
        known."""
        index = bisect_right(self._starts, address) - 1
        if index < 0 or address >= self._starts[index] + self._spans[index][0]:
            return None
        position = self._spans[index][1]
        end = self.text.find(b"\nSTACK CFI INIT", position)
        first, *later = self.text[position : end if end >= 0 else None].splitlines()
        cfa, saved = _CFA.search(first), _SAVED_BP.search(first)
        for line in later:
            # STACK CFI <address> <what changes there>
            if int(line.split(b" ", 3)[2], 16) > address:
                break
            if b".cfa:" in line:
                cfa = _CFA.search(line)
            saved = _SAVED_BP.search(line) or saved
        if cfa is None:
            return None
        return Rule(cfa[1].decode(), int(cfa[2]), int(saved[1]) if saved else None)


def read_call_frames(image: ElfImage, folder: Path | None = None) -> CallFrames:
    """The rules of an ELF file, from disk if they were read before; empty where it has none."""
    folder = folder or default_folder()
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{image.build_id}.cfi"
    if file.is_file():
        return CallFrames(file.read_bytes())
    text = _extract(image)
    descriptor, temporary = tempfile.mkstemp(dir=folder, prefix=f".{file.name}.")
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(text)
    os.replace(temporary, file)
    return CallFrames(text)


def _extract(image: ElfImage) -> bytes:
    from symbolic.debuginfo import Archive
    from symbolic.exceptions import SymbolicError

    try:
        archive = Archive.open(str(image.path))
        return bytes(next(archive.iter_objects()).make_cficache().open_stream().read())
    except (SymbolicError, StopIteration):
        return b""


_DEPTH = 32

RuleAt = Callable[[int], Rule | None]
"""Absolute address -> rule."""


@dataclass(frozen=True, slots=True)
class Walk:
    """Where a walk by rules went."""

    addresses: tuple[int, ...]
    """Return addresses, the innermost caller first."""
    meets: bool
    """Whether it ends where a walk along frame pointers takes over. If not, rbp held something else when the
    thread was sampled, and following it leads to what was never called."""


_NO_WALK = Walk((), True)


def walk(pc: int, sp: int, bp: int, stack: bytes, rule_at: RuleAt) -> Walk:
    """Callers from the sampled instruction up to the first function with a frame pointer of its own.

    These are the frames that a walk along frame pointers passes over: the innermost functions that keep none
    (all of libc: memcpy, every system call) and, above all, *their caller*. Empty if the innermost function
    has one. Ends early where the copied piece of stack ends.
    """

    def word(address: int) -> int | None:
        at = address - sampled_sp
        return int.from_bytes(stack[at : at + 8], "little") if 0 <= at <= len(stack) - 8 else None

    found: list[int] = []
    sampled_sp, sampled_bp = sp, bp
    while len(found) < _DEPTH:
        rule = rule_at(pc - 1 if found else pc)
        if rule is None or (rule.register == "rbp" and bp == sampled_bp):
            break
        frame = (sp if rule.register == "rsp" else bp) + rule.offset
        caller = word(frame - 8)
        saved = bp if rule.saved_bp is None else word(frame + rule.saved_bp)
        if caller is None or saved is None:
            break
        pc, bp, sp = caller, saved, frame
        found.append(pc)
    return Walk(tuple(found), bp == sampled_bp) if found else _NO_WALK
