"""Whether a target is a script: then the frames of a native profiler are its interpreter's."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from fuselab.analysis.perf.mappings import read_modules


def interpreter_of(program: Path) -> Path | None:
    """What the first line of a script names, `env` passed over; None where `program` is no script or not there."""
    if not program.is_file():
        return None
    with program.open("rb") as file:
        line = file.readline(4096)
    words = line.removeprefix(b"#!").decode(errors="replace").split()
    if not line.startswith(b"#!") or not words:
        return None
    if Path(words[0]).name == "env":
        words = [word for word in words[1:] if not word.startswith("-") and "=" not in word]
    return Path(words[0]) if words else None


def interpreter_notes(program: Path, data: Path, pids: Iterable[int] | None = None) -> tuple[str, ...]:
    """What to say of a script that its interpreter ran while `data` was recorded.

    A wrapper that has become another program by then is none. `pids` are the target's, where `data` has others too.
    """
    named = interpreter_of(program)
    if named is None or not data.is_file():
        return ()
    # `python3` of a script is `python3.11` when it runs, and `sh` may be `dash`.
    runs = re.compile(rf"(?:{re.escape(named.name)}|{re.escape(named.resolve().name)})[\d.]*")
    ran = next(
        (
            name
            for module in sorted(read_modules(data).files(pids))
            if runs.fullmatch(name := Path(module).name)
        ),
        None,
    )
    if ran is None:
        return ()
    return (
        f"{program.name} is run by an interpreter ({ran}): its frames are those of the interpreter, "
        "not of the script.",
    )
