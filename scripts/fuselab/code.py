"""Which code of fuselab measured something: a hash that an edit of a comment does not change."""

from __future__ import annotations

import ast
import hashlib
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parent
_ROOMS = ("system", "records", "workloads", "rig", "measuring")
_LOOKING = (*_ROOMS, "profilers")
"""What a run that is looked at is made by, too."""


@cache
def measuring_code(purpose: str) -> str:
    """Short hash of the modules that make runs of `purpose`, by their syntax trees without the docstrings."""
    rooms = _ROOMS if purpose in ("timed", "verify") else _LOOKING
    digest = hashlib.sha256()
    for path in sorted(path for room in rooms for path in _modules(PACKAGE / room)):
        tree = ast.parse(path.read_bytes())
        for node in ast.walk(tree):
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
                node.value = ast.Constant(None)
        digest.update(f"{path.relative_to(PACKAGE)}\0{ast.dump(tree)}\0".encode())
    return digest.hexdigest()[:12]


def _modules(room: Path) -> list[Path]:
    return list(room.rglob("*.py")) if room.is_dir() else [room]
