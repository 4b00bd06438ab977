"""One line of the doctor."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
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

    def __str__(self) -> str:
        return f"{self.level}: {self.what}: {self.text}" + (f": {self.mend}" if self.mend else "")


ok, note, bad = partial(Line, "ok"), partial(Line, "note"), partial(Line, "bad")
