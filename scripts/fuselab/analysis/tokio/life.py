"""What happened to each task, event by event. The definitions stand in `tasks`; times are ns since the epoch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from fuselab.analysis.tokio.events import Field, Line, Waker

STEP_NS = 100_000_000
"""The clock was set back where a task's own polls are by more than this out of their order. Events of several threads
may be: each waits for the recorder, which waits for the disk."""


@dataclass
class Life:
    """One task between its spawn and its close.

    The last poll is kept apart from those before it: whether it was the drop of the future is known at the close only.
    """

    id: int
    spawn_ns: int
    fields: Sequence[Field]
    wakes: int = 0
    self_wakes: int = 0
    closed_ns: int | None = None
    _depth: int = 0
    _enters: int = 0
    _first_ns: int = 0
    _start_ns: int = 0
    _stop_ns: int = 0
    _wake_ns: int = 0
    _busy_before_ns: int = 0
    _longest_before_ns: int = 0
    _scheduled_before_ns: int = 0
    _scheduled_last_ns: int = 0
    _wakers: int = 0
    _bare_ns: int = 0
    """When the last waker went."""
    _bare_before_last_ns: int = 0

    def enter(self, at_ns: int) -> None:
        self._depth += 1
        if self._depth > 1:
            return
        if self._enters:
            last_ns = self._stop_ns - self._start_ns
            self._busy_before_ns += last_ns
            self._longest_before_ns = max(self._longest_before_ns, last_ns)
            self._scheduled_before_ns += self._scheduled_last_ns
            woken = self._wake_ns >= self._start_ns
            self._scheduled_last_ns = max(0, at_ns - max(self._wake_ns, self._stop_ns)) if woken else 0
            self._bare_before_last_ns = self._bare(at_ns)
        else:
            self._first_ns = at_ns
        self._enters += 1
        self._start_ns = self._stop_ns = at_ns

    def exit(self, at_ns: int) -> None:
        self._depth = max(0, self._depth - 1)
        if not self._depth:
            self._stop_ns = max(self._start_ns, at_ns)

    def waker(self, waker: Waker, at_ns: int) -> None:
        if isinstance(waker.op, str):
            self._wakers += {"Clone": 1, "Drop": -1}.get(waker.op, 0)
        else:
            ((name, how),) = waker.op.items()
            self.wakes += 1
            self.self_wakes += how.get("self_wake", False)
            self._wake_ns = max(self._wake_ns, at_ns)
            self._wakers -= name == "Wake"  # waking by value consumes the waker
        if self._wakers <= 0:
            self._bare_ns = at_ns

    @property
    def last_poll_ns(self) -> int:
        """When a poll of it last began or ended; its spawn before the first."""
        return max(self.spawn_ns, self._start_ns, self._stop_ns)

    def polls(self) -> int:
        return self._enters - (1 if self.closed_ns is not None and self._enters else 0)

    def end_ns(self, last_ns: int) -> int:
        return last_ns if self.closed_ns is None else self.closed_ns

    def busy_ns(self, last_ns: int) -> int:
        """The drop counts, and a poll that the recording ends in counts up to there."""
        return self._busy_before_ns + self._last_ns(last_ns)

    def longest_poll_ns(self, last_ns: int) -> int:
        last_ns = 0 if self.closed_ns is not None else self._last_ns(last_ns)
        return max(self._longest_before_ns, last_ns)

    def scheduled_ns(self) -> int:
        return self._scheduled_before_ns + (self._scheduled_last_ns if self.closed_ns is None else 0)

    def first_poll_after_ns(self) -> int | None:
        return max(0, self._first_ns - self.spawn_ns) if self.polls() else None

    def waits(self) -> bool:
        """Whether it lives, is not being polled, and nothing has woken it since its last poll began."""
        return (
            self.closed_ns is None and self._enters > 0 and not self._depth and self._wake_ns < self._start_ns
        )

    def without_waker_ns(self, last_ns: int) -> int:
        """How long, after its last poll, nothing could wake the task and nothing had."""
        if self.closed_ns is not None:
            return self._bare_before_last_ns
        return self._bare(last_ns) if self._enters and not self._depth else 0

    def _last_ns(self, last_ns: int) -> int:
        return (last_ns if self._depth else self._stop_ns) - self._start_ns

    def _bare(self, at_ns: int) -> int:
        """Time without a waker or a wake up to now, seen from outside a poll."""
        if self._wakers > 0 or self._wake_ns >= self._start_ns:
            return 0
        return max(0, at_ns - max(self._stop_ns, self._bare_ns))


@dataclass
class Lives:
    """All tasks of a recording. Ids are used again, so a spawn always begins a new life."""

    all: list[Life] = field(default_factory=list)
    events: int = 0
    first_ns: int = 0
    last_ns: int = 0
    stepped_ns: int = 0
    """By how much the clock was set back, in all."""
    _open: dict[int, Life] = field(default_factory=dict)

    def take(self, line: Line) -> None:
        event = line.Enter or line.Exit or line.Waker or line.Spawn or line.Close
        if event is None:
            return
        life = None if line.Spawn else self._open.get(event.id)
        at_ns = self._steady(event.at.ns, None if line.Waker else life)
        self.events += 1
        self.first_ns = min(self.first_ns or at_ns, at_ns)
        self.last_ns = max(self.last_ns, at_ns)
        if line.Spawn:
            life = self._open[event.id] = Life(event.id, at_ns, line.Spawn.fields)
            self.all.append(life)
        elif life is None:
            return
        elif line.Enter:
            life.enter(at_ns)
        elif line.Exit:
            life.exit(at_ns)
        elif line.Waker:
            life.waker(line.Waker, at_ns)
        else:
            life.closed_ns = at_ns
            del self._open[life.id]

    def _steady(self, at_ns: int, polled: Life | None) -> int:
        """The recording has the time of day, which may be set back. It then goes on from the last moment before.

        `polled` is the task whose poll or end this is: these follow one upon the other, whatever thread they are on.
        """
        at_ns += self.stepped_ns
        if polled is not None and at_ns < polled.last_poll_ns - STEP_NS:
            self.stepped_ns += self.last_ns - at_ns
            return self.last_ns
        return at_ns
