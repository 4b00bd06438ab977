"""What is wrong with a YAML file, said so that the reader can mend it: place, key, value, and the fix."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from textwrap import TextWrapper

from fuselab import foreign


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

    def __str__(self) -> str:
        lines = [f"{self.file}:{self.line}:{self.column}: {self._of_key()}{self.message}"]
        if self.corrected_yaml is not None:
            lines.append("    write:")
            lines += [f"        {line}" for line in self.corrected_yaml.splitlines()]
        if self.allowed:
            lines += _wrapped("    allowed: ", self.allowed)
        return "\n".join(map(_cut, foreign.plain("\n".join(lines)).split("\n")))

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


def _cut(line: str) -> str:
    """What stands in a file does not fill the terminal."""
    return line if len(line) <= _LONGEST_LINE else f"{line[:_LONGEST_LINE]}..."


def _wrapped(head: str, words: tuple[str, ...]) -> list[str]:
    """`head` and the words behind it, comma by comma, continued below its own end."""
    whole = ", ".join(word.replace(" ", "\0") for word in words)
    wrapper = TextWrapper(100, head, " " * len(head), break_long_words=False, break_on_hyphens=False)
    return [line.replace("\0", " ") for line in wrapper.wrap(whole)]
