"""One line of the doctor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "note", "bad"]


@dataclass(frozen=True)
class Line:
    """`bad` stops something; a `note` only makes it less (fewer profilers, wider intervals)."""

    level: Level
    what: str
    text: str
    mend: str = ""
    """A command, or a sentence where there is none; empty where all is well or nothing can be done."""


def ok(what: str, text: str) -> Line:
    return Line("ok", what, text)


def note(what: str, text: str, mend: str = "") -> Line:
    return Line("note", what, text, mend)


def bad(what: str, text: str, mend: str = "") -> Line:
    return Line("bad", what, text, mend)
