"""An existing fio job file: its jobs by name, each with all that holds for it, as fio itself reads them.

Our own look at its lines comes first, and decides two things only: whether there is anything that fio should not even
be asked about, and what the jobs are on a machine without fio.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from fuselab import foreign
from fuselab.workloads.fio import complaints, parse_only, rules
from fuselab.workloads.fio.parse_only import Section, Taken

_LONGEST = 4000
"""Characters of a line. fio reads 4,095 at a time, and takes what is left for a line of its own."""
_LARGEST_BYTES = 256 << 10
_MOST_JOBS = 64

Jobs = dict[str, dict[str, str]]


@dataclass(frozen=True)
class Line:
    """`option=text` in line `number` of the file, without its comment; no option where a job begins."""

    number: int
    job: str
    option: str = ""
    text: str = ""

    @property
    def fault(self) -> str | None:
        """Why a load may not say it."""
        if self.option:
            fault = rules.fault(self.option, self.text)
            said = foreign.name(f"[{self.job}] {self.option}={self.text}")
            return None if fault is None else f"line {self.number}, {said}: {fault.reason}"
        odd = not rules.plain_name(self.job)
        return f"[{foreign.name(self.job)}]: {rules.PLAIN}" if odd else None


def read(path: Path) -> Jobs:
    """Its jobs. Raises OSError, and ValueError for what a load may not say, and for what fio does not take."""
    text = _text(path)
    lines = _lines(text)
    # Of all that is said in it first, of names of jobs last.
    refused = [fault for line in sorted(lines, key=lambda line: not line.option) if (fault := line.fault)]
    if refused:
        raise ValueError("it says what a load may not: " + "; ".join(dict.fromkeys(refused)))
    rough = _jobs(_sections(lines))
    if len(rough) > _MOST_JOBS:
        raise ValueError(f"it holds {len(rough)} jobs, and a load {_MOST_JOBS} at the most")
    said = parse_only.ask(text)
    if said is None:
        return rough
    if said.exit_code != 0:
        raise ValueError("; ".join(complaint.told for complaint in complaints.of_text(text)))
    return _jobs(parse_only.sections(text) or [])


def _text(path: Path) -> str:
    """Of a file that somebody has written. Raises OSError, ValueError."""
    if path.exists() and not path.is_file():
        raise ValueError("is no file")
    with path.open("rb") as file:
        raw = file.read(_LARGEST_BYTES + 1)
    if len(raw) > _LARGEST_BYTES:
        raise ValueError(f"is larger than {_LARGEST_BYTES >> 10} KiB")
    return raw.decode()


def _lines(text: str) -> list[Line]:
    """Every option of a job file, in order. Raises ValueError (with the line) for what fuselab cannot take over."""
    job = ""
    found: list[Line] = []
    for number, raw in enumerate(text.replace("\r\n", "\n").split("\n"), 1):
        if len(raw) > _LONGEST:
            raise ValueError(f"line {number} is longer than {_LONGEST} characters")
        line = re.split("[#;]", raw, maxsplit=1)[0].strip()
        if line.startswith("["):
            job = line[1 : line.rindex("]")].strip() if "]" in line else line[1:]
            found.append(Line(number, job))
        elif line.startswith("include"):
            raise ValueError(f"line {number}: 'include' is not taken over; write its lines here")
        elif line and not job:
            raise ValueError(f"line {number}: '{line}' stands above the first [job]")
        elif line:
            option, _, value = line.partition("=")
            found.append(Line(number, job, option.strip(), value.strip() or "1"))
    return found


def _sections(lines: Iterable[Line]) -> list[Section]:
    """By our own reading."""
    found: list[Section] = []
    for line in lines:
        if line.option:
            found[-1].options[line.option] = Taken(line.text)
        else:
            found.append(Section(line.job))
    return found


def _jobs(sections: Iterable[Section]) -> Jobs:
    """Jobs in the order of the file. A `[global]` section holds for the jobs below it, as in fio; two of one name are
    two jobs. Raises ValueError where there is none."""
    jobs: Jobs = {}
    shared: dict[str, str] = {}
    for section in sections:
        options = {**shared, **{name: taken.value for name, taken in section.options.items()}}
        if section.shared:
            shared = options
            continue
        name, number = section.name, 2
        while name in jobs:
            name, number = f"{section.name}-{number}", number + 1
        jobs[name] = options
    if not jobs:
        raise ValueError("there is no job in it")
    return jobs
