"""Where things that outlive a checkout are kept."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """`$XDG_CACHE_HOME/fuselab`, `~/.cache/fuselab` by default: cargo targets, sources, symbols, tools."""
    root = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(root) / "fuselab"
