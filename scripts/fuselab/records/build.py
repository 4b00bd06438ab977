"""build.json: which program was made, and from what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class BuildRecord:
    target: str
    build: str
    kind: str
    command: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    """What the build's environment had beyond the caller's."""
    source: str | None = None
    revision: str | None = None
    dirty: bool = False
    features: tuple[str, ...] = ()
    rustflags: tuple[str, ...] = ()
    profile: str = ""
    toolchain: str = ""
    binary: str
    sha256: str
    build_id: str | None
    version: str | None = None
    """What an installed program says of itself."""
