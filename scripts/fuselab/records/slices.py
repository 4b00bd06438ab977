"""slices.csv of a block whose loads took turns: what each variant did in each slice, its own and those of others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

SLICES = "slices.csv"
"""In the folder of the block."""
SLICES_VERSION = 2
"""Part of the spec of such blocks: raise it when slices are made in a way that old ones do not compare with."""


@dataclass(frozen=True)
class Slice:
    """One variant in one slice. Of the variant `whose` load ran, `seconds`, `read_bytes` and `written_bytes` are of the
    measured part of the slice: its first moments, in which the load begins to run, are left out."""

    slice: int
    """From 1, in order of time."""
    round: int
    """From 1: every variant has one slice in each."""
    whose: str
    at_s: float
    """Begin of the measured part, since the first slice began."""
    seconds: float
    """Of the measured part."""
    variant: str
    read_bytes: int
    """By the processes of its load; nothing in the slices of others."""
    written_bytes: int
    cpu_s: float
    """Of its target and services, from the end of the slice before to the end of this one."""
    disk_bytes: int
    """Read from disk, and made dirty, by the same in the same time."""
    load_cpu: int
    """On which the threads of the load began the slice."""
    target_cpu: int
    """The same of target and services."""

    @property
    def own(self) -> bool:
        return self.variant == self.whose


@dataclass(frozen=True)
class Turns:
    """All slices of one variant in a block, added up."""

    seconds: float
    read_bytes: int
    written_bytes: int
    carried: float
    """CPU seconds of its target and services in the slices of others, for each second that its load had."""
    disk_per_s: float
    """Bytes of disk for each second that its load had."""


def added_up(slices: Iterable[Slice], variant: str) -> Turns:
    """Raises ValueError if `variant` never had a turn."""
    mine: Sequence[Slice] = [each for each in slices if each.variant == variant]
    own = [each for each in mine if each.own]
    if not own:
        raise ValueError(f"{variant} had no turn")
    seconds = sum(each.seconds for each in own)
    return Turns(
        seconds=seconds,
        read_bytes=sum(each.read_bytes for each in own),
        written_bytes=sum(each.written_bytes for each in own),
        carried=sum(each.cpu_s for each in mine if not each.own) / seconds,
        disk_per_s=sum(each.disk_bytes for each in mine) / seconds,
    )
