"""What `fuselab check --fix` writes into a file: what was surely meant, in its place, and nothing else of the file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path

from fuselab.files import write_atomically
from fuselab.schema.errors import Fix, Problem

_ROUNDS = 20
"""Behind a fault of the syntax others show once that is mended."""
Look = Callable[[], Sequence[Problem]]
"""What is wrong with the file as it is on the disk, this file's faults alone."""


@dataclass(frozen=True)
class Fixed:
    diff: tuple[str, ...] = ()
    """Lines of a unified diff; none where nothing was changed."""
    count: int = 0


def fix(path: Path, look: Look) -> Fixed:
    """Mend `path` as far as that is sure, round by round; a round that does not help is taken back.

    Line ends, comments and layout stay as they are.
    """
    path = path.resolve()
    first = path.read_bytes()
    count, problems = 0, look()
    for _ in range(_ROUNDS):
        wanted = [problem.fix for problem in problems if problem.fix]
        before = path.read_bytes()
        after, done = _applied(before, wanted)
        if not done:
            break
        _write(path, after)
        left = look()
        if any(problem in left for problem in problems if problem.fix in done):
            _write(path, before)
            break
        count, problems = count + len(done), left
    return Fixed(tuple(_diff(first, path.read_bytes())), count)


def _applied(content: bytes, fixes: Iterable[Fix]) -> tuple[bytes, list[Fix]]:
    """The content with those of `fixes` in it whose place says what they expect; and those fixes."""
    try:
        lines = content.decode().splitlines(keepends=True)
    except UnicodeDecodeError:
        return content, []
    done: list[Fix] = []
    for one in sorted(set(fixes), reverse=True):
        start = one.column - 1
        line = lines[one.line - 1] if one.line <= len(lines) else ""
        end = start + len(one.old)
        apart = not done or (done[-1].line, done[-1].column) >= (one.line, end + 1)
        if one.old and line[start:end] == one.old and one.old != one.new and apart:
            lines[one.line - 1] = line[:start] + one.new + line[end:]
            done.append(one)
    return "".join(lines).encode(), done


def _write(path: Path, content: bytes) -> None:
    mode = path.stat().st_mode
    write_atomically(path, content)
    path.chmod(mode)


def _diff(before: bytes, after: bytes) -> Iterable[str]:
    old, new = (text.decode(errors="replace").splitlines() for text in (before, after))
    return list(unified_diff(old, new, n=1, lineterm=""))[2:]
