"""Rows of the table of tasks: its columns, known without reading any."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Task:
    """One task; times in ns."""

    id: int
    spawned_us: float
    """Since the first event of the recording."""
    kind: str
    name: str
    location: str
    """`file:line` of its spawn: from the recording, which console-subscriber 0.5 does not write it to, or from the
    console's live state."""
    function: str
    size_bytes: int
    """Of the future: tells tasks without names apart."""
    polls: int
    busy_ns: int
    scheduled_ns: int | None
    """None for kinds that are not woken through a waker."""
    idle_ns: int
    total_ns: int
    longest_poll_ns: int
    first_poll_after_ns: int | None
    """From the spawn; part of the idle time. None if it was never polled."""
    wakes: int
    self_wakes: int
    dropped: bool
    """Its future is gone: the recording saw its end."""
    lints: str
    """Comma-separated: never-yields, long-poll, lost-waker, self-wake-storm."""

    @property
    def label(self) -> str:
        """What stands for tasks of one sort: their common name, their kind and function, or where they were spawned."""
        from fuselab.analysis.symbols.labels import of_instance

        if self.name:
            return of_instance(self.name)
        if self.location and not self.function:
            return f"{self.kind} at {self.location}"
        return ": ".join(filter(None, (self.kind, self.function)))
