"""An existing fio job file: its jobs by name, each with all that holds for it, as fio itself reads them.

Our own look at its lines comes first, and decides two things only: whether there is anything that fio should not even
be asked about, and what the jobs are on a machine without fio.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from fuselab.workloads.fio.parse_only import Section

_LONGEST = 4000
"""Characters of a line. fio reads 4,095 at a time, and takes what is left for a line of its own."""


@dataclass(frozen=True)
class Line:
    """`option=text` in line `number` of the file, without its comment."""

    number: int
    job: str
    option: str
    text: str


def read_lines(text: str) -> list[Line]:
    """Every option of a job file, in order; a job without one has a line with none.

    Raises ValueError (with the line) for what fuselab cannot take over.
    """
    job = ""
    found: list[Line] = []
    for number, raw in enumerate(text.split("\n"), 1):
        if len(raw) > _LONGEST:
            raise ValueError(f"line {number} is longer than {_LONGEST} characters")
        line = re.split("[#;]", raw, maxsplit=1)[0].strip()
        if line.startswith("["):
            job = line[1 : line.rindex("]")].strip() if "]" in line else line[1:]
            found.append(Line(number, job, "", ""))
        elif line.startswith("include"):
            raise ValueError(f"line {number}: 'include' is not taken over; write its lines here")
        elif line and not job:
            raise ValueError(f"line {number}: '{line}' stands above the first [job]")
        elif line:
            option, _, value = line.partition("=")
            found.append(Line(number, job, option.strip(), value.strip() or "1"))
    return found


def rough_sections(lines: Iterable[Line]) -> Iterator[tuple[str, dict[str, str]]]:
    """(name, options) of each section, by our own reading."""
    part: dict[str, str] = {}
    for line in lines:
        if not line.option:
            part = {}
            yield line.job, part
        part |= {line.option: line.text} if line.option else {}


def read_sections(sections: Iterable[Section]) -> Iterator[tuple[str, dict[str, str]]]:
    """(name, options) of each section, as fio reads it."""
    for section in sections:
        yield section.name, {name: taken.value for name, taken in section.options.items()}


def jobs_of(sections: Iterable[tuple[str, dict[str, str]]]) -> dict[str, dict[str, str]]:
    """Jobs in the order of the file. A `[global]` section holds for the jobs below it, as in fio.

    Raises ValueError where there is none.
    """
    jobs: dict[str, dict[str, str]] = {}
    shared: dict[str, str] = {}
    for name, options in list(sections):
        if Section(name).shared:
            shared = {**shared, **options}
        else:
            jobs[_unused(name, jobs)] = {**shared, **options}
    if not jobs:
        raise ValueError("there is no job in it")
    return jobs


def _unused(name: str, jobs: dict[str, dict[str, str]]) -> str:
    """Two sections of one name are two jobs in fio."""
    number = 2
    unused = name
    while unused in jobs:
        unused, number = f"{name}-{number}", number + 1
    return unused
