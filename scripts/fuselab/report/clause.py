"""A part of a sentence about a contrast, and what decides where it stands in it."""

from __future__ import annotations

from dataclasses import dataclass

from fuselab.report.context import Link


@dataclass(frozen=True)
class Clause:
    link: Link
    """What was found, and where that is shown."""
    size: float = 0.0
    """Of the change, beside others: the logarithm of its ratio, in either direction."""
    each: bool = True
    """Whether it is told of each operation; else of so many, or of the whole run."""
    longer: float = 1.0
    """Of a time: how many times as long this change alone makes an operation; 1 of what has no time."""
