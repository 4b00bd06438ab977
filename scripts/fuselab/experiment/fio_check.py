"""What fio itself says of the options of a load, before anything runs: `fio --parse-only`.

fio takes 0.1 s to start and stops at the first bad job. So all jobs go in one call; only where that fails is
each asked about alone; and what passed once is remembered, by this fio and these options.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from fuselab.paths import cache_folder


@dataclass(frozen=True)
class Complaint:
    """`option` is None where fio does not name one."""

    option: str | None
    message: str
    suggestion: str | None = None
    """The right name of the option, or the right value (`of_value`)."""
    of_value: bool = False
    allowed: tuple[str, ...] = ()


def complaints(rendered: str, jobs: Mapping[str, Mapping[str, str]]) -> dict[str, list[Complaint]]:
    """By job: the options that fio does not take; `rendered` is the job file as it will run.

    Nothing without fio: whoever runs it then says so.
    """
    program = shutil.which("fio")
    if program is None:
        return {}
    mark = _mark(program, rendered)
    if mark.exists():
        return {}
    found: dict[str, list[Complaint]] = {}
    if _fio(("--parse-only", "-"), rendered).returncode != 0:
        found = {name: list(_of_one(_section(options))) for name, options in jobs.items()}
    for name, options in jobs.items():
        found.setdefault(name, []).extend(_engine(options))
    found = {name: said for name, said in found.items() if said}
    if not found:
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()
    return found


def _section(options: Mapping[str, str]) -> str:
    return "[job]\n" + "".join(f"{name}={value}\n" for name, value in options.items())


def _mark(program: str, text: str) -> Path:
    """The file that is there if this fio has taken this text before."""
    about = os.stat(program)
    digest = hashlib.sha256(f"{program} {about.st_size} {about.st_mtime_ns}\n{text}".encode()).hexdigest()
    return cache_folder() / "fio-takes" / digest[:32]


def _of_one(text: str) -> Iterator[Complaint]:
    done = _fio(("--parse-only", "-"), text)
    if done.returncode != 0:
        yield from _read(done.stdout, done.stderr)


def _engine(options: Mapping[str, str]) -> Iterator[Complaint]:
    """fio looks for its engine only when it runs."""
    engine = options.get("ioengine", "").partition(":")[0].partition(",")[0]
    if engine and engine not in (known := _engines()) and engine != "external" and known:
        yield Complaint("ioengine", f"fio here has no ioengine '{engine}'", None, True, known)


def _fio(argv: tuple[str, ...], job: str) -> subprocess.CompletedProcess[str]:
    """fio, with something in the place of each variable that the rig sets."""
    stand_ins = {
        name: "1" if name.endswith("RANDSEED") else "/tmp" for name in re.findall(r"\$\{(FUSELAB_\w+)\}", job)
    }
    return subprocess.run(
        ["fio", *argv], input=job, capture_output=True, text=True, errors="replace", timeout=20, check=False,
        env={**os.environ, **stand_ins},
    )  # fmt: skip


@cache
def _engines() -> tuple[str, ...]:
    listed = _fio(("--enghelp",), "").stdout
    return tuple(sorted(re.findall(r"^\t(\S+)$", listed, re.MULTILINE)))


def _read(stdout: str, stderr: str) -> Iterator[Complaint]:
    """fio names an option it does not know as `Bad option <x=1>`, a value as `failed parsing x=1`."""
    found = False
    for match in re.finditer(r"Bad option <([^=>]+)=?.*>(?:\nDid you mean (\S+)\?)?", stderr):
        found = True
        yield Complaint(match[1], f"fio knows no option '{match[1]}'", match[2])
    for match in re.finditer(r"failed parsing ([^=\n]+)=(.*)", stderr):
        found = True
        allowed = tuple(re.findall(r"^\s+(?:valid values)?: (\S+)", stdout, re.MULTILINE))
        yield Complaint(match[1], f"fio does not take '{match[2]}' for '{match[1]}'", None, True, allowed)
    if not found:
        lines = [line for line in stderr.splitlines() if "dropped" not in line]
        yield Complaint(None, f"fio does not take this job: {' '.join(lines) or 'it does not say why'}")
