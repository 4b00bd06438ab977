"""Which programs are there, and how to get those that are not."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from fuselab.doctor.base import Line, bad, note, ok
from fuselab.programs import Program, apt_install, tool
from fuselab.workloads import REGISTRY

_VERSION_TIMEOUT_S = 20


PROGRAMS = (
    *(
        Program(name, ("--version",), "makes the load")
        for kind in REGISTRY.values()
        for name in kind.programs
    ),
    Program("unshare", ("--version",), "walls off a run"),
    Program("setpriv", ("--version",), "takes a run down with its job"),
    Program("git", ("--version",), "resolves revisions"),
    Program(
        "cargo",
        ("--version",),
        "builds Rust targets",
        needed=False,
        mend="install rustup (https://rustup.rs)",
    ),
    Program("inferno-flamegraph", (), "draws flamegraphs", needed=False, mend="make setup"),
    Program("fuselab-metadata", (), "makes loads of metadata", needed=False, mend="make setup"),
    Program("fuselab-relay", (), "puts stores some way off", needed=False, mend="make setup"),
    Program("fuselab-names", (), "spells mangled Rust names", needed=False, mend="make setup"),
)
_JEMALLOC = (
    "/usr/lib/*-linux-gnu/libjemalloc.so.2",
    "/usr/lib/libjemalloc.so.2",
    "/usr/lib64/libjemalloc.so.2",
)


def programs() -> Iterator[Line]:
    """Those of all experiments, then those of profilers. What perf may do is tried (`machine.recording`)."""
    from fuselab import profilers

    looking = (program for p in profilers.REGISTRY.values() if not p.kernel_event for program in p.programs)
    for program in (*PROGRAMS, *dict.fromkeys(looking)):
        yield _line(program)


def _line(program: Program) -> Line:
    try:
        path = tool(program.name)
    except FileNotFoundError:
        say = bad if program.needed else note
        return say(
            program.name, f"not installed: it {program.purpose}", program.mend or apt_install(program.name)
        )
    return ok(program.name, (version_of((path, *program.version)) if program.version else None) or path)


def version_of(argv: tuple[str, ...]) -> str | None:
    """The first line with a number in it that the command prints; None if it prints none."""
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=_VERSION_TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    lines = (done.stdout + done.stderr).splitlines()
    return next((line.strip() for line in lines if re.search(r"\d", line)), None)


def jemalloc() -> Iterator[Line]:
    """For heap profiles of programs that were not built with it."""
    libraries = [path for pattern in _JEMALLOC for path in Path("/").glob(pattern.lstrip("/"))]
    if libraries:
        yield ok("libjemalloc", f"{libraries[0]}: heap profiles of programs that were not built for it")
    else:
        text = "not installed: no heap profile of a program that was not built for it"
        yield note("libjemalloc", text, apt_install("libjemalloc2"))
