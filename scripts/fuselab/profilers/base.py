"""The contract between fuselab and one way to look.

A profiler has a *capture* side, which lives in the rig and imports nothing heavy, and a *process* side, which
turns the raw files of one or more captures into folded stacks and a table. Nothing outside its module may ask
for a profiler by name: what differs between profilers is an attribute here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from fuselab.records.profile import Profile
from fuselab.records.run import OUTCOMES
from fuselab.system.process import ended_words
from fuselab.targets.model import ProfilerSupport, Target

Level = Literal["ok", "limited", "unavailable"]


@dataclass(frozen=True)
class Capability:
    """What a profiler can do for a target, always with the reason where it is not `ok`."""

    level: Level
    reason: str = ""


@dataclass(frozen=True)
class Tools:
    """Programs that processing calls, resolved to paths."""

    inferno_flamegraph: str
    perf: str
    jeprof: str


@dataclass(frozen=True)
class CaptureContext:
    """What a profiler may know when it attaches: the target is mounted, the load has not begun."""

    folder: Path
    """Where its files belong."""
    pids: tuple[int, ...]
    """Of all processes of the target that live."""
    group: str | None
    """The control group that holds them, and whoever comes; None where there is none."""
    binary: Path
    support: ProfilerSupport


class Window(Protocol):
    """The measured part: the rig calls `open` right before the load and `close` right after it."""

    def open(self) -> None: ...

    def close(self) -> None: ...

    def cpu_s(self) -> float | None:
        """CPU time that the profiler's own processes have used until now; None if it has none."""
        ...


class WholeRun:
    """The window of profilers that record for as long as the target lives."""

    def open(self) -> None:
        return None

    def close(self) -> None:
        return None

    def cpu_s(self) -> float | None:
        return None


@dataclass(frozen=True)
class CaptureFolder:
    """One finished capture: raw files beside its run.json."""

    folder: Path
    repeat: int
    binary: Path
    operations: int
    """I/O operations of the load in this capture; 0 if it has none."""
    bytes: int
    """Bytes the load moved in this capture."""

    def raw(self, name: str) -> Path:
        """The raw file `name`; the path where it should be if it is not there."""
        return next(iter(sorted(self.folder.rglob(name))), self.folder / name)

    def left_by(self, profiler: str) -> list[Path]:
        """The raw files that target.yaml says `profiler` leaves, as far as they are there."""
        request = json.loads((self.folder / "request.json").read_bytes())
        patterns = [p for s in request["mount"]["profilers"] if s["name"] == profiler for p in s["files"]]
        return sorted({path for pattern in patterns for path in self.folder.rglob(pattern) if path.is_file()})

    def log(self) -> str:
        """What the target wrote to its own log, as far as it was kept."""
        return "".join(path.read_text(errors="replace") for path in sorted(self.folder.glob("target*.log")))

    def ending(self) -> str:
        """How a target of this run ended that did not end in order; "" if all did."""
        codes = self._record()["exit_codes"].items()
        ended = {name: code for name, code in codes if name.startswith("target") and code != 0}
        return ", ".join(f"{name} {ended_words(code)}" for name, code in ended.items())

    def target_pid(self) -> int | None:
        """Of the process that served the mount, as it saw itself; None without a mount."""
        pid: int | None = self._record()["pids"].get("target")
        return pid

    def family(self) -> frozenset[int]:
        """Pids of all processes of the target that lived before or after the load, as they saw themselves."""
        return frozenset(self._record().get("family", ()))

    def target_cpu_s(self) -> float | None:
        """What all processes of the target used while the load ran; None without a target or an end of the load."""
        used = self._record().get("target")
        return None if used is None else float(used["cpu_s"])

    def observers_s(self) -> Mapping[str, float]:
        """CPU time while the load ran of each profiler that has processes of its own."""
        used: dict[str, float] = self._record().get("observers_s", {})
        return used

    def environment(self) -> Mapping[str, str]:
        """What the target was started with."""
        env: dict[str, str] = self._record()["env"]
        return env

    def hung(self) -> bool:
        """Whether the run was ended because it stood still."""
        return self._record().get("fault") == "hung"

    def ended_in_order(self) -> bool:
        """Whether the run came to its end, and every target ended as it should."""
        return (self.folder / OUTCOMES[0]).is_file() and not self.ending()

    def window_ns(self) -> tuple[int, int] | None:
        """Start and end of the load on CLOCK_MONOTONIC; None where the run broke off before its end."""
        window = self._record()["load_window_s"]
        return None if window is None else (round(window[0] * 1e9), round(window[1] * 1e9))

    def _record(self) -> dict[str, Any]:
        """run.json, or what a failed run left instead."""
        path = next(path for name in OUTCOMES if (path := self.folder / name).is_file())
        record: dict[str, Any] = json.loads(path.read_bytes())
        return record


class Profiler(Protocol):
    """One way to look. `process` imports what it needs inside itself: this module is read by the rig."""

    name: str
    title: str
    unit: str
    sees: str
    """One sentence for the report: what it shows."""
    blind_to: str
    """One sentence: what it cannot show."""
    grows_with_load: bool
    """Whether twice the load gives twice the value: true of times, false of live memory."""
    needs_target_support: bool
    """True if target.yaml must describe it; False for those that work on any native binary."""
    looks_at: frozenset[str]
    """`mount`, `program`: which of what a load gives to look at (`WorkloadKind.looks_at`)."""
    written_by_target: bool
    """Whether the target itself writes its files, and completes them only when it ends in order."""

    def capability(self, target: Target) -> Capability: ...

    def environment(self, support: ProfilerSupport) -> Mapping[str, str]:
        """Variables beyond the target's own, as templates with `{capture}`; part of the mount config."""
        ...

    def equip(self, folder: Path) -> None:
        """Called before the target starts: puts into `{capture}` what its environment names there, if anything."""
        ...

    def attach(self, context: CaptureContext) -> AbstractContextManager[Window]:
        """Entered when the mount is ready, left after the load and before the unmount."""
        ...

    def process(self, captures: Sequence[CaptureFolder], out: Path, tools: Tools) -> Profile:
        """Write folded.txt, folded.<repeat>.txt for each capture, flamegraph.svg and table.parquet into `out`.

        Never raises for what a capture holds: a capture that says nothing is a `refused` profile.
        """
        ...


def whole_run() -> AbstractContextManager[Window]:
    return nullcontext(WholeRun())
