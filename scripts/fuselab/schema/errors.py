"""What is wrong with a YAML file, said so that the reader can mend it: place, key, value, and the fix."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from textwrap import TextWrapper
from typing import Literal
from unicodedata import combining, east_asian_width

from fuselab import foreign

Part = Literal["place", "message", "mark", "right"]
Paint = Callable[[str, Part], str]
"""A text, and which part of a fault it is -> the same text in a colour."""


@dataclass(frozen=True, order=True)
class Fix:
    """What stands at one place of a line, `old`, and what was surely meant. Counted from 1."""

    line: int
    column: int
    old: str
    new: str


@dataclass(frozen=True, order=True)
class Problem:
    """One fault. Lines and columns count from 1, as editors do."""

    file: str
    """As the reader knows it: relative to the repository where it lies inside."""
    line: int
    column: int
    key: str
    """Dotted path of the key, `workloads.seq-write.fio.bs`; empty for the file as a whole."""
    value: str
    """What stands there, as text; empty where nothing does."""
    message: str
    allowed: tuple[str, ...] = ()
    suggestion: str | None = None
    """The nearest right spelling."""
    corrected_yaml: str | None = None
    """The lines as they should be."""
    written: str = ""
    """The line as it stands in the file; empty where there is none to show."""
    width: int = 1
    """How many characters of it are meant, from `column` on."""
    fix: Fix | None = None
    """Of what can be meant in one way only: what `fuselab check --fix` writes."""
    typed: str = ""
    """The words of a command line that the place was written from; they stand in for it, as nobody keeps the file."""

    def __str__(self) -> str:
        return self.said()

    def said(self, paint: Paint = lambda text, what: text) -> str:
        """As a text of several lines, each part of it through `paint`."""
        written_at = self.typed or f"{self.file}:{self.line}:{self.column}"
        place, *message = _lines([f"{written_at}: ", self._of_key() + self.message])
        parts = [paint(place, "place") + paint("\n".join(message), "message")]
        if self.written.strip():
            line, mark = _pointed(self.written, self.column, self.width)
            parts += [f"    {line}", paint(f"    {mark}", "mark")]
        if self.corrected_yaml is not None:
            fixed = "\n".join(f"        {line}" for line in _lines(self.corrected_yaml.splitlines()))
            parts += ["    write:", paint(fixed, "right")]
        if self.allowed:
            parts += _lines(_wrapped("    allowed: ", self.allowed))
        return "\n".join(parts)

    def _of_key(self) -> str:
        """The key in front of what is wrong with its value; a key that is itself wrong stands in the message."""
        return f"{self.key}: " if self.key and self.key.rpartition(".")[2] != self.value else ""


class ExperimentErrors(Exception):
    """Every fault of a file at once, in the order of the file."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(set(problems), key=lambda p: (p.file, p.line, p.column, p.message)))
        super().__init__(str(self))

    def __str__(self) -> str:
        return "\n\n".join(map(str, self.problems))


_LONGEST_LINE = 1000
_SHOWN = 100
"""Columns of a line that are shown around the place that is meant."""


def _lines(texts: Iterable[str]) -> list[str]:
    """Of what may come from a file: nothing in it is an order to the terminal."""
    return [_cut(line) for text in texts for line in foreign.plain(text).split("\n")]


def _pointed(written: str, column: int, width: int) -> tuple[str, str]:
    """The line, cut around what is meant, and a mark below that; both as wide as they look."""
    line = "".join(character if character.isprintable() else " " for character in written)
    start = max(0, column - 1 - _SHOWN // 2) if len(line) > _SHOWN else 0
    shown, before = line[start : start + _SHOWN], line[start : column - 1]
    width = max(1, min(width, len(shown) - len(before)))
    head, tail = ("..." if start else ""), ("..." if start + _SHOWN < len(line) else "")
    space = " " * (len(head) + sum(map(_columns, before)))
    meant = line[column - 1 : column - 1 + width]
    return f"{head}{shown}{tail}".rstrip(), f"{space}^{'~' * (max(1, sum(map(_columns, meant))) - 1)}"


def _columns(character: str) -> int:
    if combining(character):
        return 0
    return 2 if east_asian_width(character) in "WF" else 1


def _cut(line: str) -> str:
    """What stands in a file does not fill the terminal."""
    return line if len(line) <= _LONGEST_LINE else f"{line[:_LONGEST_LINE]}..."


def _wrapped(head: str, words: tuple[str, ...]) -> list[str]:
    """`head` and the words behind it, comma by comma, continued below its own end."""
    whole = ", ".join(word.replace(" ", "\0") for word in words)
    wrapper = TextWrapper(100, head, " " * len(head), break_long_words=False, break_on_hyphens=False)
    return [line.replace("\0", " ") for line in wrapper.wrap(whole)]
