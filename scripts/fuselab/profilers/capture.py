"""One finished capture, as processing sees it: raw files beside what the run left of itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fuselab.errors import ProfileError
from fuselab.records.places import RUN, numbered
from fuselab.records.run import outcome_of
from fuselab.system.process import ended_words


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
        return (self.folder / RUN).is_file() and not self.ending()

    def window_ns(self) -> tuple[int, int] | None:
        """Start and end of the load on CLOCK_MONOTONIC; None where the run broke off before its end."""
        window = self._record()["load_window_s"]
        return None if window is None else (round(window[0] * 1e9), round(window[1] * 1e9))

    def _record(self) -> dict[str, Any]:
        """run.json, or what a failed run left instead."""
        path = outcome_of(self.folder)
        assert path is not None, self.folder
        record: dict[str, Any] = json.loads(path.read_bytes())
        return record
