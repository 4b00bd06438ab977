"""What fio itself says of the options of a load, before anything runs: `fio --parse-only`.

fio stops at the first bad job. So all jobs go in one call; only where that fails is each asked about alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from fuselab.schema.diagnostics import hint
from fuselab.workloads.base import Settings
from fuselab.workloads.fio import parse_only
from fuselab.workloads.fio.timing import complete_jobs


@dataclass(frozen=True)
class Complaint:
    """`option` is None where fio does not name one."""

    option: str | None
    message: str
    suggestion: str | None = None
    """The right name of the option, or the right value (`of_value`)."""
    of_value: bool = False
    allowed: tuple[str, ...] = ()
    wanted: str = ""
    """What values it takes, in the place of a suggestion."""

    @property
    def told(self) -> str:
        """What it says, and what is right."""
        return self.message + (hint(self.suggestion) or self.wanted)


def complaints(settings: Settings) -> dict[str, list[Complaint]]:
    """By job of a load: the options that fio does not take; nothing without fio."""
    said = parse_only.ask(parse_only.job_text({"global": settings["global"], **settings["jobs"]}))
    if said is None:
        return {}
    refused = said.exit_code != 0
    told = {
        name: [*(of_job(options) if refused else ()), *_engine(options)]
        for name, options in complete_jobs(settings).items()
    }
    return {name: found for name, found in told.items() if found}


def of_job(options: Mapping[str, str]) -> list[Complaint]:
    return of_text(parse_only.job_text({"job": options}))


def of_text(text: str) -> list[Complaint]:
    """What fio says of a job file; nothing if it takes it, or is not there."""
    said = parse_only.ask(text)
    if said is None or said.exit_code == 0:
        return []
    return list(_read(said.stdout, said.stderr))


def _engine(options: Mapping[str, str]) -> Iterator[Complaint]:
    """fio looks for its engine only when it runs."""
    engine = options.get("ioengine", "")
    if engine and engine not in (known := _engines()) and known:
        yield Complaint("ioengine", f"fio here has no ioengine '{engine}'", None, True, known)


@cache
def _engines() -> tuple[str, ...]:
    return tuple(sorted(re.findall(r"^\t(\S+)$", parse_only.run(("--enghelp",)).stdout, re.MULTILINE)))


def _read(stdout: str, stderr: str) -> Iterator[Complaint]:
    """fio names an option it does not know as `Bad option <x=1>`, a value as `failed parsing x=1`."""
    found = False
    for match in re.finditer(r"Bad option <([^=>]+)=?.*>(?:\nDid you mean (\S+)\?)?", stderr):
        found = True
        yield Complaint(match[1], f"fio knows no option '{match[1]}'", match[2])
    for match in re.finditer(r"failed parsing ([^=\n]+)=(.*)", stderr):
        found = True
        allowed = tuple(re.findall(r"^\s+(?:valid values)?: (\S+)", stdout, re.MULTILINE))
        wanted = "" if allowed else _wanted(match[1])
        message = f"fio does not take '{match[2]}' for '{match[1]}'"
        yield Complaint(match[1], message, None, True, allowed, wanted)
    if not found:
        lines = [line for line in stderr.splitlines() if "dropped" not in line]
        yield Complaint(None, f"fio does not take this job: {' '.join(lines) or 'it does not say why'}")


def _wanted(option: str) -> str:
    """`: an integer value is meant, such as 100, 1 or more`, by fio's own help."""
    told = parse_only.run((f"--cmdhelp={option}",)).stdout
    kind = re.search(r"^ *type: (.+?) \(opt=(.+)\)$", told, re.MULTILINE)
    if kind is None:
        return ""
    limits = re.search(r"^ *range: min=(\d+), max=(-?\d+)$", told, re.MULTILINE)
    low, high = limits.groups() if limits else ("0", "-1")
    within = f", from {low} to {high}" if high != "-1" else f", {low} or more" if low != "0" else ""
    article = "an" if kind[1][0] in "aeiou" else "a"
    return f": {article} {kind[1]} is meant, such as {kind[2]}{within}"
