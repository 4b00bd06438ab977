"""How a program is found, and what installs it: a Debian package, or a target of our Makefile."""

from __future__ import annotations

import glob
import os
import re
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fuselab.errors import MissingProgramError, ProgramError

_PACKAGES = {
    "dot": "graphviz",
    "etcd": "etcd-server",
    "etcdctl": "etcd-client",
    "fusermount3": "fuse3",
    "jeprof": "libjemalloc-dev",
    "perf": "linux-perf",
    "postgres": "postgresql",
    "psql": "postgresql-client",
    "redis-cli": "redis-tools",
    "setpriv": "util-linux",
    "umount": "mount",
    "unshare": "util-linux",
}
"""Of programs that are not called as their package is."""
_OURS = {"s3s-fs": "make setup-s3", "fuselab-relay": "make setup"}
"""Programs that make installs beside our Python, where the PATH of a run does not lead, and how."""
RELAY = "fuselab-relay"
"""What stands between a target and a service that is some way off."""


@dataclass(frozen=True)
class Program:
    """A program that fuselab calls, in the words of `fuselab doctor`."""

    name: str
    version: tuple[str, ...]
    """Arguments that make it print its version; none where it has no such option."""
    purpose: str
    needed: bool = True
    """Whether nothing goes without it."""
    mend: str = ""
    """How to get it, if not with apt."""


def package(program: str, of: str = "") -> str:
    """The Debian package of a program, which may be a path, or else of the service `of`, or one of its name."""
    name = program.rsplit("/", 1)[-1]
    return _PACKAGES.get(name) or _PACKAGES.get(of, name)


def made_by(program: str) -> str:
    """The target of our Makefile that installs it; "" if none does."""
    return _OURS.get(program, "")


def apt_install(program: str, of: str = "") -> str:
    """The command that installs it: apt's, unless make does."""
    return made_by(program) or f"sudo apt-get install {package(program, of)}"


def tool(name: str) -> str:
    """Path of a program that `make setup` installed: the pinned one beside our Python first, then PATH.

    Raises MissingProgramError if it is nowhere.
    """
    found = tool_path(name)
    if found is None:
        raise MissingProgramError(f"the program `{name}` is not installed: `make setup` installs it")
    return found


def tool_path(name: str) -> str | None:
    """As `tool`; None if it is nowhere."""
    return shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)


def program(name: str, env: Mapping[str, str]) -> str:
    """The path of a program: found on `env`'s PATH, or the newest match of a pattern (`/usr/lib/x/*/bin/x`).

    Raises ProgramError if it is not there, or may not be executed.
    """
    found = _found(name, env.get("PATH"))
    if found is None and (there := _not_executable(name, env)):
        raise ProgramError(f"the program `{there}` may not be executed: chmod +x {there}")
    if found is None:
        raise ProgramError(
            f"the program `{name}` is not installed: install it and try again (`make setup` installs ours)"
        )
    return found


def _not_executable(name: str, env: Mapping[str, str]) -> str | None:
    """The file that would be the program `name` if it might be executed."""
    folders = [""] if "/" in name else env.get("PATH", "").split(os.pathsep)
    return next((path for folder in folders if os.path.isfile(path := os.path.join(folder, name))), None)


def installed(name: str) -> bool:
    """On PATH, a path, or a pattern of paths."""
    return _found(name, None) is not None


def _found(name: str, path: str | None) -> str | None:
    if name in _OURS:
        return tool_path(name)
    return max(glob.glob(name), key=_natural, default=None) if "*" in name else shutil.which(name, path=path)


def _natural(path: str) -> list[tuple[str, int]]:
    """Sort key in which version 15 comes after version 9."""
    return [(text, int(number or 0)) for text, number in re.findall(r"(\D+)(\d*)", path)]
