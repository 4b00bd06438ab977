"""A look of `blocks: auto`: how many blocks a workload has, and how many it must go on to."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Look:
    blocks: int = 0
    """At which it was taken."""
    next: int | None
    """How many blocks to go on to; None if these are enough."""
