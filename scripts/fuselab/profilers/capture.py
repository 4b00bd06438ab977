"""One finished capture, as processing sees it: raw files beside what the run left of itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from fuselab.errors import ProfileError
from fuselab.files import read_json
from fuselab.records.places import RUN, numbered
from fuselab.records.run import COMMAND, RunRecord, outcome_of
from fuselab.system.process import ended_words


@dataclass(frozen=True)
class CaptureFolder:
    """One finished capture: raw files beside its run.json."""

    folder: Path
    repeat: int
    binary: Path
    operations: int
    """Operations of the load in this capture; 0 if it has none."""
    bytes: int
    """Bytes the load moved in this capture."""
    transfers: int = 0
    """How many of the operations do nothing but move data."""
    moved: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """`read` / `write` -> the same two, where they are known apart."""
    latency_ns: Mapping[str, float] = field(default_factory=dict)
    """`read` / `write` -> mean latency as the load saw it."""

    def raw(self, name: str) -> Path:
        """The raw file `name`; the path where it should be if it is not there."""
        return next(iter(sorted(self.folder.rglob(name))), self.folder / name)

    def left_by(self, profiler: str) -> list[Path]:
        """The raw files that target.yaml says `profiler` leaves, as far as they are there."""
        request = json.loads((self.folder / "request.json").read_bytes())
        patterns = [p for s in request["mount"]["profilers"] if s["name"] == profiler for p in s["files"]]
        return sorted({path for pattern in patterns for path in self.folder.rglob(pattern) if path.is_file()})

    def files_of(self, profiler: str) -> tuple[Path, ...]:
        """The raw files of `profiler`, as `left_by`. Raises ProfileError if it left none."""
        files = self.left_by(profiler)
        if not files:
            last = next((line for line in reversed(self.log().splitlines()) if line.strip()), "")
            raise ProfileError(
                f"{profiler} left no file." + (f" The target's log ends with: {last[:300]}" if last else ""),
                "Look at `env`, `argv` and `files` of this profiler in target.yaml, and at the build's `features` and "
                "`rustflags`.",
            )
        return tuple(files)

    def numbered(self, name: str) -> str:
        """`folded.002.txt` for `folded.txt`: a file of this capture alone, in a processed folder."""
        stem, _, suffix = name.rpartition(".")
        return f"{stem}.{numbered(self.repeat)}.{suffix}"

    def plain(self, name: str) -> str:
        """`folded.txt` for `folded.002.txt`."""
        return name.replace(f".{numbered(self.repeat)}.", ".")

    def log(self) -> str:
        """What the target wrote to its own log, as far as it was kept."""
        return "".join(path.read_text(errors="replace") for path in sorted(self.folder.glob("target*.log")))

    @cached_property
    def run(self) -> RunRecord:
        """What the run left of itself, also where it failed."""
        path = outcome_of(self.folder)
        assert path is not None, self.folder
        return read_json(path, RunRecord)

    @property
    def of_command(self) -> bool:
        """Whether the command that was the load was looked at, and not a target."""
        return COMMAND in self.run.pids

    @property
    def looked_at(self) -> str:
        """In a word."""
        return "command" if self.of_command else "target"

    def cannot_look(self, profiler: str) -> str:
        """Why a profiler of a shared run could not look at it, with the mend in a line of its own; "" if it could."""
        return "" if outcome_of(self.folder) is None else self.run.cannot_look.get(profiler, "")

    def ending(self) -> str:
        """How a target of this run ended that did not end in order; "" if all did."""
        codes = self.run.exit_codes.items()
        ended = {name: code for name, code in codes if name.startswith("target") and code != 0}
        return ", ".join(f"{name} {ended_words(code)}" for name, code in ended.items())

    def ended_in_order(self) -> bool:
        """Whether the run came to its end, and every target ended as it should."""
        return (self.folder / RUN).is_file() and not self.ending()

    def window_ns(self) -> tuple[int, int] | None:
        """Start and end of the load on CLOCK_MONOTONIC; None where the run broke off before its end."""
        window = self.run.load_window_s
        return None if window is None else (round(window[0] * 1e9), round(window[1] * 1e9))
