"""How far a call has come, from what Snakemake tells: what it does, and how long it will take.

Time is counted, not steps: by the estimates of `fuselab plan`, and by how long the jobs of this very call took.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

from fuselab.compare.schedule import LOOKS
from fuselab.errors import UnreadableError
from fuselab.files import read_json
from fuselab.records.look import Look
from fuselab.records.places import Results
from fuselab.words import duration
from fuselab.workflow.estimate import Part
from fuselab.workflow.telling import Event

Key = tuple[str, str, str]
"""Experiment, kind of part and its name; builds belong to no experiment."""

_PARTS: Mapping[str, Callable[[Mapping[str, str]], tuple[str, str]]] = {
    "build": lambda w: ("build", f"{w['target']}/{w['build']}"),
    "verify": lambda w: ("verify", w["variant"]),
    "time_block": lambda w: ("blocks", w["workload"]),
    "capture": lambda w: ("captures", f"{w['variant']}, {w['workload']}: {w['profilers']}"),
    "cost_block": lambda w: ("cost blocks", w["workload"]),
    "work_block": lambda w: ("work blocks", w["workload"]),
}
"""Rules whose jobs the estimate has -> which of its parts a job belongs to, by its wildcards."""
_ALIKE = "captures"
"""Parts of which one takes about as long as another: the load and the mount are alike, and no build is another."""
_COUNTED = {
    "time_block": "block",
    "cost_block": "block of profiling's costs",
    "work_block": "block of fixed work",
}


@dataclass
class _Count:
    """Of one part: what is left of it, and how long what was made took."""

    left: int
    most: int
    """As `left`, if every look asks for more blocks; beyond that it is the same."""
    wanted: int
    estimate_s: float | None
    took_s: tuple[float, ...] = ()

    @property
    def each_s(self) -> float | None:
        return mean(self.took_s) if self.took_s else self.estimate_s


@dataclass(frozen=True)
class Running:
    event: Event
    key: Key | None
    since_s: float


class Progress:
    """`parts` are the estimates of each experiment; times are seconds on any clock that goes on evenly."""

    def __init__(self, parts: Mapping[str, Iterable[Part]]) -> None:
        self._counts: dict[Key, _Count] = {}
        self._running: dict[int, Running] = {}
        self._newest: Running | None = None
        self._many = len(parts) > 1
        for experiment, mine in parts.items():
            for part in mine:
                self._counts[_key(experiment, part.what, part.name)] = _count(part)

    def begun(self, event: Event, now_s: float) -> None:
        key = None
        if rule := _PARTS.get(event.rule):
            key = _key(event.wildcards.get("experiment", ""), *rule(event.wildcards))
        self._running[event.job] = self._newest = Running(event, key, now_s)

    def ended(self, job: int, now_s: float) -> Event | None:
        """The event that the job began with, if it is known. It counts as done."""
        running = self._running.pop(job, None)
        if running is None:
            return None
        if self._running:
            self._newest = next(reversed(self._running.values()))
        count = self._counts.get(running.key) if running.key else None
        if count:
            count.took_s = (*count.took_s, now_s - running.since_s)
            count.left, count.most = max(0, count.left - 1), max(0, count.most - 1)
        return running.event

    def counts(self, event: Event) -> bool:
        """Whether the job of `event` is of those whose time is reckoned."""
        running = self._running.get(event.job)
        return running is not None and running.key in self._counts

    def looked(self, experiment: str, workload: str, look: Look) -> None:
        """A look has decided, or wants more blocks, of which the last look may want more again."""
        if count := self._counts.get(_key(experiment, "blocks", workload)):
            done = count.wanted - count.left
            count.wanted = look.next or look.blocks
            count.left = max(0, count.wanted - done)
            count.most = max(0, LOOKS[-1] - done) if look.next else count.left

    @property
    def what(self) -> str:
        """What is made now, as one would say it: of several, what began last; between two jobs the first of them."""
        if self._newest is None:
            return "looking at what is there"
        more = f" and {len(self._running) - 1} more" if len(self._running) > 1 else ""
        return f"{self._said(self._newest)}{more}"

    def _said(self, running: Running) -> str:
        event = running.event
        experiment = event.wildcards.get("experiment", "")
        words = event.words.removeprefix(f"{experiment}: ") or event.rule
        count = self._counts.get(running.key) if running.key else None
        if count and event.rule in _COUNTED:
            number = int(event.wildcards["number"])
            of = f"{max(count.wanted, number)}"
            if count.most > count.left:
                of += f" to {LOOKS[-1]}"
            words = f"{_COUNTED[event.rule]} {number} of {of} under {event.wildcards['workload']}"
        return f"{experiment}: {words}" if self._many and experiment else words

    def left(self, now_s: float) -> str:
        """`about 3 min left`; empty where all that is measured is there, or nothing is known of what is left."""
        counts = [(count, self._each_s(key)) for key, count in self._counts.items() if count.left]
        known = [(count, each_s) for count, each_s in counts if each_s is not None]
        low = sum(count.left * each_s for count, each_s in known)
        high = low + sum((count.most - count.left) * each_s for count, each_s in known)
        gone = sum(self._gone_s(running, now_s) for running in self._running.values())
        unknown = sum(count.left for count, each_s in counts if each_s is None)
        words = _between(max(0.0, low - gone), max(0.0, high - gone)) if known else ""
        if unknown:
            jobs = "a job" if unknown == 1 else f"{unknown} jobs"
            words += f"{' and ' if words else ''}{jobs} of unknown length"
        return f"{words} left" if words else ""

    def _gone_s(self, running: Running, now_s: float) -> float:
        """Of what the job is estimated to take: a job that takes longer takes nothing of the others."""
        if running.key not in self._counts or not self._counts[running.key].left:
            return 0.0
        return min(now_s - running.since_s, self._each_s(running.key) or 0.0)

    def _each_s(self, key: Key) -> float | None:
        """How long one job of a part takes; of a capture that nothing tells of yet, as long as others of this call."""
        each_s = self._counts[key].each_s
        if each_s is not None or key[1] != _ALIKE:
            return each_s
        others = [
            took_s for other, count in self._counts.items() if other[1] == _ALIKE for took_s in count.took_s
        ]
        return mean(others) if others else None


def learn_look(progress: Progress, done: Event, root: Path) -> None:
    """What the job that began with `done` has decided, where it was a look."""
    if done.rule != "look":
        return
    w = done.wildcards
    path = Results(root).experiment(w["experiment"]).look(w["workload"], w["spec"], w["number"])
    with suppress(UnreadableError):  # the workflow says so itself when it comes to it
        progress.looked(w["experiment"], w["workload"], read_json(path, Look))


def _key(experiment: str, what: str, name: str) -> Key:
    return ("" if what == "build" else experiment, what, name)


def _count(part: Part) -> _Count:
    """With `blocks: auto` the estimate wants those of the last look: here those of the next are enough at first."""
    wanted = part.wanted
    if part.what == "blocks" and part.stops_early:
        wanted = next((look for look in LOOKS if look > part.done), LOOKS[-1])
    return _Count(max(0, wanted - part.done), part.left, wanted, part.seconds_each)


def _between(low_s: float, high_s: float) -> str:
    low, high = _about(low_s), _about(high_s)
    return f"about {low}" if low == high else f"about {low} to {high}"


def _about(seconds: float) -> str:
    """In steps that an estimate is good for: 5 s below a minute, half a minute below five, else minutes."""
    if seconds < 57.5:
        return f"{max(5, round(seconds / 5) * 5)} s"
    if seconds < 285:
        return f"{round(seconds / 30) / 2:g} min"
    return f"{round(seconds / 60)} min" if seconds < 5400 else duration(seconds)
