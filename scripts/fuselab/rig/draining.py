"""Waiting until what a load has written is where it belongs: for the sign that the target says in its `drain:`.

Without one its unmount is the drain, and nothing is waited for here.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import suppress
from typing import Literal

from fuselab import foreign
from fuselab.errors import FuselabError, TargetError
from fuselab.records.run import BYTES, Drained
from fuselab.rig import counters
from fuselab.rig.session import Session
from fuselab.rig.watchdog import blamed, gone
from fuselab.system import procfs
from fuselab.system.process import pause_s
from fuselab.targets.model import Drain, fill


def drain(at: Session, phase: Literal["prepare", "drain"]) -> None:
    """Write back, wait for the sign, and note how long that took as part of `phase`.

    Raises TargetError if it does not come within its limit or cannot be told, or if one whom the run stands on ends
    meanwhile: that one is named.
    """
    asked, recorder = at.place.request.mount.drain, at.place.recorder
    if asked is None or not at.targets:
        return
    started = time.monotonic()
    with blamed(at.serving, "drain", at.processes):
        for target in at.targets:
            if not target.write_back():
                target.hurry()
                raise TargetError("it did not write back its data, and so has not drained")
        written_back = time.monotonic()
        sign = _sign(at, asked)
        drained = _wait(at, sign, asked.limit_s)
    recorder.add(phase, drained - started)
    found = Drained(sign.name, sign.left, drained - written_back)
    if phase == "drain":
        recorder.drained = found
    were = f", {found.words} were on their way" if found.words else ""
    recorder.say(f"drained after {drained - started:.3f} s{were}")


class _Sign(ABC):
    """Something that tells whether anything is on its way still."""

    name: str
    left: float | None = None
    """How much was on its way at the first look; of bytes, how many came until now."""

    @abstractmethod
    def look(self) -> str:
        """What is on its way still, in words; "" if nothing is. Raises TargetError where that cannot be told."""

    def since(self) -> float:
        """When all was there, on CLOCK_MONOTONIC, once a look found it so."""
        return time.monotonic()


def _sign(at: Session, asked: Drain) -> _Sign:
    if asked.counter:
        return _Counter(at, asked)
    return _Command(at, asked) if asked.argv else _Quiet(at, asked.quiet_s)


def _wait(at: Session, sign: _Sign, limit_s: float) -> float:
    """Until `sign` comes: since when it has been there."""
    started = time.monotonic()
    deadline = started + limit_s
    while on_its_way := sign.look():
        if gone(at.serving):
            raise TargetError(on_its_way)
        if time.monotonic() >= deadline:
            raise TargetError(f"it had not drained within {limit_s:g} s: {on_its_way}")
        time.sleep(pause_s(started, deadline))
    return sign.since()


class _Counter(_Sign):
    """One of the target's own counters, added up over its mounts, comes down to 0."""

    def __init__(self, at: Session, asked: Drain) -> None:
        self.name, self._at, self._sources = asked.counter, at, asked.sources

    def look(self) -> str:
        found: dict[str, float] = {}
        notes: list[str] = []
        for values in _values(self._at):
            for source in self._sources:
                said = counters.answer(self._at.place, source, values, gauges=True)
                notes += [f"{source.where}: {said.reason}"] if said.reason else []
                if self.name in said.counters:
                    found[fill(source.where, values)] = said.counters[self.name]
        if not found:
            why = (
                "; ".join(dict.fromkeys(notes))
                or f"there is no counter `{self.name}` where its counters are read"
            )
            raise TargetError(f"whether it has drained cannot be told: {why}")
        left = sum(found.values())
        self.left = left if self.left is None else self.left
        return f"its counter `{self.name}` was {left:g}" if left else ""


class _Command(_Sign):
    """A command succeeds, for each mount."""

    name = "command"

    def __init__(self, at: Session, asked: Drain) -> None:
        self._at, self._argv = at, asked.argv

    def look(self) -> str:
        place = self._at.place
        for values in _values(self._at):
            try:
                counters.output(place, [fill(word, values) for word in self._argv])
            except FuselabError as error:
                raise TargetError(f"whether it has drained cannot be told: {error}") from error
            except (ValueError, OSError) as error:
                return place.recorder.hidden.text(foreign.name(str(error)))
        return ""


class _Quiet(_Sign):
    """Nothing has been written for so long: by the services, or by the target where it has none."""

    name = BYTES

    def __init__(self, at: Session, quiet_s: float) -> None:
        self._families = tuple(at.place.served.values()) or (at.place.family,)
        self._who = "its store" if at.place.served else "it"
        self._quiet_s, self._seen = quiet_s, dict[int, int]()
        self._written, self._changed, self._began = 0, time.monotonic(), False

    def look(self) -> str:
        now = time.monotonic()
        more = 0
        for pid in set[int]().union(*(family.pids() for family in self._families)):
            with suppress(OSError):  # ended
                bytes_now = procfs.io(pid)["wchar"]
                more += bytes_now - self._seen.get(pid, bytes_now if not self._began else 0)
                self._seen[pid] = bytes_now
        self._began = True
        if more:
            self._written, self._changed = self._written + more, now
        self.left = self._written
        still_s = now - self._changed
        return "" if still_s >= self._quiet_s else f"{self._who} had written something {still_s:.1f} s before"

    def since(self) -> float:
        return self._changed


def _values(at: Session) -> list[Mapping[str, str]]:
    """Of the placeholders, for each mount."""
    place = at.place
    own = {**place.values, "binary": str(place.binary)}
    return [{**own, "mountpoint": str(target.mountpoint)} for target in at.targets]
