"""How long, in words."""

from __future__ import annotations


def duration(ns: int) -> str:
    """Three digits with the unit that suits: `4.02 s`, `4.1 ms`, `310 µs`."""
    for unit, size in (("s", 1e9), ("ms", 1e6), ("µs", 1e3)):
        if abs(ns) >= size:
            return f"{ns / size:.3g} {unit}"
    return f"{ns} ns"
