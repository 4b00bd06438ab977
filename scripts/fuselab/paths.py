"""Where things that outlive a checkout are kept, and which program is meant by a tool's name."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from fuselab.errors import MissingProgramError


def cache_folder() -> Path:
    """`$XDG_CACHE_HOME/fuselab`, `~/.cache/fuselab` by default: cargo targets, sources, symbols, tools."""
    root = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(root) / "fuselab"


def tool(name: str) -> str:
    """Path of a program that `make setup` installed: the pinned one beside our Python first, then PATH.

    Raises MissingProgramError if it is nowhere.
    """
    found = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    if found is None:
        raise MissingProgramError(f"the program `{name}` is not installed: `make setup` installs it")
    return found
