"""Reads an existing fio job file: its jobs by name, each with all that holds for it."""

from __future__ import annotations

import re
from pathlib import Path


def read_job_file(path: Path) -> dict[str, dict[str, str]]:
    """Jobs in the order of the file. A `[global]` section holds for the jobs below it, as in fio.

    Raises OSError if it cannot be read, ValueError (with the line) for what fuselab cannot take over.
    """
    jobs: dict[str, dict[str, str]] = {}
    shared: dict[str, str] = {}
    section: dict[str, str] | None = None
    for number, raw in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        line = raw.strip()
        if not line or line[0] in "#;":
            continue
        header = re.fullmatch(r"\[(.+)\]", line)
        if header is not None:
            name = header[1].strip()
            section = shared if name == "global" else jobs.setdefault(_unused(name, jobs), dict(shared))
        elif line.startswith("include "):
            raise ValueError(f"line {number}: 'include' is not taken over; write its lines here")
        elif section is None:
            raise ValueError(f"line {number}: '{line}' stands above the first [job]")
        else:
            option, _, value = line.partition("=")
            section[option.strip()] = value.strip() or "1"
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
