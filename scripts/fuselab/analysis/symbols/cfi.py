"""Call frame information: how to find a caller where no frame pointer says it.

`symbolic` turns a module's .eh_frame into text lines (Breakpad's `STACK CFI`), which are kept on disk by
build id. An expression is postfix: `$rsp 16 +` adds, `^` reads a word of memory.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from operator import itemgetter
from pathlib import Path

from fuselab.analysis.symbols.elf import ElfImage
from fuselab.files import write_atomically

_FUNCTION = re.compile(rb"^STACK CFI INIT ([0-9a-f]+) ([0-9a-f]+) (.*)$", re.M)
_CFA = re.compile(rb"\.cfa: \$(rsp|rbp) (-?\d+) \+")
_CALLER = re.compile(rb"\.ra:(?: \.cfa (-?\d+) \+ \^)?")
_LINKAGE = re.compile(
    rb"[^\n]* \.cfa: \$rsp 16 \+ \.ra: [^\n]*\nSTACK CFI [0-9a-f]+ \.cfa: \$rsp 24 \+ *(?:\n|$)"
)
"""The table of jumps into libraries (.plt): its first entry. What follows has a rule that cannot be written so, and
that every linker for x86 writes alike: 8 bytes more once an entry has pushed its number, 11 bytes in."""
_LINKAGE_ENTRY_BYTES, _PUSHED_BYTES = 16, 11
_SAVED_BP = re.compile(rb"\$rbp: \.cfa (-?\d+) \+ \^")


@dataclass(frozen=True, slots=True)
class Rule:
    """The frame at one address: canonical frame address = register + offset; the caller's address lies below it."""

    register: str
    """`rsp`, or `rbp` where the function keeps a frame pointer."""
    offset: int
    saved_bp: int | None
    """Offset from the canonical frame address at which the caller's rbp is kept; None if it is still in rbp."""
    caller: int = -8
    """Offset from the canonical frame address at which the caller's address is kept."""


@dataclass(frozen=True)
class CallFrames:
    """The rules of one module."""

    text: bytes

    @cached_property
    def _functions(self) -> list[tuple[int, int, int]]:
        """(start, size, position of its first line) of each, by start."""
        return sorted((int(m[1], 16), int(m[2], 16), m.start()) for m in _FUNCTION.finditer(self.text))

    def rule_at(self, address: int) -> Rule | None:
        """The rule for an address counted from the module's load address; None where nothing simple is known, and
        where a function has no caller (`_start`, `clone`)."""
        index = bisect_right(self._functions, address, key=itemgetter(0)) - 1
        start, size, position = self._functions[index] if index >= 0 else (0, 0, 0)
        if address >= start + size:
            return None
        into = address - start
        if into >= _LINKAGE_ENTRY_BYTES and _LINKAGE.match(self.text, position):
            return Rule("rsp", 16 if into % _LINKAGE_ENTRY_BYTES >= _PUSHED_BYTES else 8, None)
        end = self.text.find(b"\nSTACK CFI INIT", position)
        first, *later = self.text[position : end if end >= 0 else None].splitlines()
        cfa, saved, caller = (search(first) for search in (_CFA.search, _SAVED_BP.search, _CALLER.search))
        for line in later:
            # STACK CFI <address> <what changes there>
            if int(line.split(b" ", 3)[2], 16) > address:
                break
            if b".cfa:" in line:
                cfa = _CFA.search(line)
            saved, caller = _SAVED_BP.search(line) or saved, _CALLER.search(line) or caller
        if cfa is None or caller is None or caller[1] is None:
            return None
        return Rule(cfa[1].decode(), int(cfa[2]), int(saved[1]) if saved else None, int(caller[1]))


def read_call_frames(image: ElfImage, folder: Path) -> CallFrames:
    """The rules of an ELF file, from disk if they were read before; empty where it has none."""
    file = folder / f"{image.build_id}.cfi"
    if not file.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(file, _extract(image))
    return CallFrames(file.read_bytes())


def _extract(image: ElfImage) -> bytes:
    from symbolic.debuginfo import Archive
    from symbolic.exceptions import SymbolicError

    try:
        archive = Archive.open(str(image.path))
        return bytes(next(archive.iter_objects()).make_cficache().open_stream().read())
    except (SymbolicError, StopIteration):
        return b""


_DEPTH = 128

RuleAt = Callable[[int], Rule | None]
"""Absolute address -> rule."""


@dataclass(frozen=True, slots=True)
class Walk:
    """Where a walk by rules went."""

    addresses: tuple[int, ...]
    """Return addresses, the innermost caller first."""
    passed: int | None
    """How many return addresses a walk along frame pointers finds on the same stretch of stack: it takes over behind
    them. None if it never comes to where this one ends: rbp held something else when the thread was sampled, or a
    caller's was lost on the way, and following it leads to what was never called."""


def walk(pc: int, sp: int, bp: int, stack: bytes, rule_at: RuleAt) -> Walk:
    """Callers from the sampled instruction outwards, as far as rules and the copied piece of stack reach.

    A walk along frame pointers passes over the caller of every function that keeps none (all of libc: memcpy, every
    system call), be it the innermost or further out.
    """

    def word(address: int) -> int | None:
        at = address - sampled_sp
        return int.from_bytes(stack[at : at + 8], "little") if 0 <= at <= len(stack) - 8 else None

    found: list[int] = []
    sampled_sp, sampled_bp = sp, bp
    while len(found) < _DEPTH and (rule := rule_at(pc - 1 if found else pc)) is not None:
        frame = (sp if rule.register == "rsp" else bp) + rule.offset
        caller = word(frame + rule.caller)
        # Below the stack pointer lies what was taken back already: the register holds the caller's again.
        kept = rule.saved_bp is not None and frame + rule.saved_bp >= sp
        saved = word(frame + (rule.saved_bp or 0)) if kept else bp
        if not caller or saved is None or (found and frame <= sp):
            break
        pc, bp, sp = caller, saved, frame
        found.append(pc)
    return Walk(tuple(found), _links(sampled_bp, bp, word))


def _links(first: int, last: int, word: Callable[[int], int | None]) -> int | None:
    """How many frame pointers lead from one to another; None if they do not. Callers' lie at higher addresses."""
    count = 0
    while first != last:
        after = word(first)
        if after is None or after <= first:
            # The outermost frame pointer of a thread leads to 0 or to what it was started with.
            return count + 1 if after is not None and after == last else None
        first, count = after, count + 1
    return count
