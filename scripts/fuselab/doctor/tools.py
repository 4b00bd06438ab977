"""Which programs are there, and how to get those that are not."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fuselab.doctor.base import Line, bad, note, ok
from fuselab.paths import tool

_VERSION_TIMEOUT_S = 20


@dataclass(frozen=True)
class Program:
    name: str
    version: tuple[str, ...]
    """Arguments that make it print its version; none where it has no such option."""
    purpose: str
    mend: str
    needed: bool = True
    """Whether nothing goes without it."""


PROGRAMS = (
    Program("fio", ("--version",), "makes the load", "sudo apt-get install fio"),
    Program("unshare", ("--version",), "walls off a run", "sudo apt-get install util-linux"),
    Program("setpriv", ("--version",), "takes a run down with its job", "sudo apt-get install util-linux"),
    Program("git", ("--version",), "resolves revisions", "sudo apt-get install git"),
    Program(
        "cargo", ("--version",), "builds Rust targets", "install rustup (https://rustup.rs)", needed=False
    ),
    Program("inferno-flamegraph", (), "draws flamegraphs", "make setup", needed=False),
    Program("inferno-diff-folded", (), "compares flamegraphs", "make setup", needed=False),
    Program("fuselab-spans", (), "reads traces of spans", "make setup", needed=False),
    Program("fuselab-names", (), "spells mangled Rust names", "make setup", needed=False),
    Program(
        "jeprof", ("--version",), "reads heap profiles", "sudo apt-get install libjemalloc-dev", needed=False
    ),
    Program("dot", ("-V",), "draws the heap graph", "sudo apt-get install graphviz", needed=False),
)
_JEMALLOC = (
    "/usr/lib/*-linux-gnu/libjemalloc.so.2",
    "/usr/lib/libjemalloc.so.2",
    "/usr/lib64/libjemalloc.so.2",
)


def programs() -> Iterator[Line]:
    for program in PROGRAMS:
        yield _line(program)


def _line(program: Program) -> Line:
    try:
        path = tool(program.name)
    except FileNotFoundError:
        say = bad if program.needed else note
        return say(program.name, f"not installed: it {program.purpose}", program.mend)
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
    found = [path for pattern in _JEMALLOC for path in Path("/").glob(pattern.lstrip("/"))]
    if found:
        yield ok("libjemalloc", f"{found[0]}: heap profiles of programs that were not built for it")
    else:
        text = "not installed: no heap profile of a program that was not built for it"
        yield note("libjemalloc", text, "sudo apt-get install libjemalloc2")


def installed(name: str) -> bool:
    """On PATH, in `make setup`'s own folder, a path, or a pattern of paths."""
    if "*" in name:
        return any(Path("/").glob(name.lstrip("/")))
    return shutil.which(name) is not None
