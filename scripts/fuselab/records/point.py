"""Where a load lies on the curve that it is a point of. It is a part of plan.json."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Coordinate:
    """Where a point lies on one axis of a sweep."""

    over: str
    """What is swept, as the experiment writes it: `fio.iodepth`."""
    text: str
    """The value as it is written: `4k`."""
    value: float
    """The same as a number, by which points are ordered."""

    @property
    def axis(self) -> str:
        """`iodepth` of `fio.iodepth`."""
        return self.over.rpartition(".")[2]


@dataclass(frozen=True)
class Point:
    """What makes a load one point of a curve."""

    curve: str
    """The load that is written with a `sweep`."""
    at: tuple[Coordinate, ...]
    """By axis, the one that curves are drawn over first."""
    options: Mapping[str, str] = field(default_factory=dict)
    """Mount options that every variant has here beside its own."""
    env: Mapping[str, str] = field(default_factory=dict)
    mounts: int | None = None
    """How many mounts a run has here, if that is swept."""
    captured: bool = False
    """Whether profilers look at it."""
    limit: Mapping[str, float] = field(default_factory=dict)
    """Metric -> the value that it is to keep to, in its own unit; alike at all points."""

    @property
    def remounts(self) -> bool:
        """Whether variants are mounted otherwise here."""
        return bool(self.options or self.env or self.mounts)
