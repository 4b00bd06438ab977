"""Running a compiler, or whatever a build command is, to its end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fuselab import foreign
from fuselab.errors import BuildError
from fuselab.screen import on_screen
from fuselab.system.namespaces import contained

_CARGO_WAITS = "Blocking waiting for file lock"
"""What cargo says where another has its registry or its folder; it may be for minutes."""


@dataclass(frozen=True)
class Made:
    """A program that was just made, where its build left it."""

    program: Path
    command: tuple[str, ...]
    env: Mapping[str, str]
    """Beyond the caller's."""
    source: Path


def run(argv: Sequence[str], folder: Path, env: Mapping[str, str], what: str) -> list[dict[str, Any]]:
    """Run a build to its end, its output on our stderr; return the JSON objects that cargo printed, one a line.

    Raises BuildError that ends with the last lines it wrote.
    """
    settings = " ".join(f"{name}={value!r}" for name, value in env.items())
    print(f"{what}\n  in {folder}\n  {settings} {' '.join(argv)}", file=sys.stderr, flush=True)
    tail: list[str] = []
    objects = []
    with contained(
        argv, cwd=folder, env={**os.environ, **env}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as child:
        assert child.stdout is not None
        for raw in child.stdout:
            line = foreign.plain(raw.decode(errors="replace").rstrip("\n"))
            if _CARGO_WAITS in line:
                on_screen(f"{what}: another cargo of this user runs: {line.strip()}")
            if line.startswith("{") and '"reason"' in line:
                objects.append(json.loads(line))
            else:
                print(line, file=sys.stderr, flush=True)
                tail = [*tail[-39:], line]
        code = child.wait()
    if code != 0:
        raise BuildError(f"{what} failed: {argv[0]} exited {code}. Its last words:\n\n" + "\n".join(tail))
    return objects
