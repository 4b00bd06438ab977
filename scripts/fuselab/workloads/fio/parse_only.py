"""What fio itself reads in a job file: `fio --parse-only --debug=parse` says each section and option as it took it.

A job file has its own rules (comments at the end of a line, aliases, units): nobody but fio need know them.
fio takes 0.1 s to start, so what it once said of a text is kept, by this fio.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import msgspec

from fuselab.files import write_json
from fuselab.paths import cache_folder

_LIMIT_S = 20.0
_SECTION = re.compile(r"Parsing section \[(.*)\]")
_OPTION = re.compile(r"handle_option=([^,]+), ptr=(.*)", re.DOTALL)
_TYPE = re.compile(r"__handle_option=[^,]+, type=(\w+)")
_NUMBER = re.compile(r"ret=0, out=(\d+)")
_SET = "(null)"
"""How fio shows an option that stands without a value."""


@dataclass
class Taken:
    """One option: its value as text, without comments; `numbers` are what fio makes of it, in bytes or microseconds."""

    value: str
    time: bool = False
    numbers: list[int] = field(default_factory=list)


@dataclass
class Section:
    """`[name]`; options by fio's own name for each, whatever alias was written."""

    name: str
    options: dict[str, Taken] = field(default_factory=dict)

    @property
    def shared(self) -> bool:
        """Whether it holds for the jobs below it, as fio has it: every name that begins with `global`."""
        return self.name.lower().startswith("global")


class Said(msgspec.Struct, frozen=True):
    """How a call of fio ended, and what it said."""

    exit_code: int
    stdout: str
    stderr: str


def sections(text: str) -> list[Section] | None:
    """The sections of a job file as fio takes it; None where it does not, or where there is no fio to ask."""
    said = ask(text)
    return _read(said.stdout) if said is not None and said.exit_code == 0 else None


@cache
def ask(text: str) -> Said | None:
    """What `fio --parse-only` says of a job file; None without fio."""
    program = shutil.which("fio")
    if program is None:
        return None
    kept = _kept(program, text)
    with suppress(OSError, msgspec.DecodeError):
        return msgspec.json.decode(kept.read_bytes(), type=Said)
    said = run(("--parse-only", "--debug=parse", "-"), text)
    if said.exit_code < 0:  # killed, or too slow today: no answer about the text
        return said
    with suppress(OSError):  # a cache that cannot be written to costs 0.1 s
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_json(kept, said)
    return said


def _kept(program: str, text: str) -> Path:
    about = os.stat(program)
    asked = f"{program} {about.st_size} {about.st_mtime_ns}\n{text}"
    return cache_folder() / "fio-says" / f"{hashlib.sha256(asked.encode()).hexdigest()[:32]}.json"


def run(argv: Sequence[str], job: str = "") -> Said:
    """fio with nothing of the caller's environment, and the mounts as they are written."""
    env = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}
    try:
        done = subprocess.run(
            ["fio", *argv], input=job, capture_output=True, text=True, errors="replace", timeout=_LIMIT_S,
            check=False, env=env,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return Said(-1, "", f"fio did not say within {_LIMIT_S:g} s whether it takes this job")
    return Said(done.returncode, done.stdout, done.stderr)


def _read(stdout: str) -> list[Section]:
    found: list[Section] = []
    for line in stdout.split("\n"):
        message = re.sub(r"^parse +[0-9]+ +", "", line)
        if match := _SECTION.fullmatch(message):
            found.append(Section(match[1]))
        elif found and (match := _OPTION.fullmatch(message)):
            value = "1" if match[2] == _SET else match[2].strip()
            found[-1].options.pop(match[1], None)
            found[-1].options[match[1]] = Taken(value)
        elif found and found[-1].options:
            last = next(reversed(found[-1].options.values()))
            if match := _TYPE.match(message):
                last.time = match[1] == "OPT_STR_VAL_TIME"
            elif match := _NUMBER.match(message):
                last.numbers.append(int(match[1]))
    return found


def job_text(parts: Mapping[str, Mapping[str, str]]) -> str:
    """Sections as a job file, and nothing beside them."""
    blocks = (
        "\n".join((f"[{name}]", *(f"{k}={v}" for k, v in part.items()))) for name, part in parts.items()
    )
    return "\n\n".join(blocks) + "\n"
