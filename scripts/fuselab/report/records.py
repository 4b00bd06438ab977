"""What the files of an experiment hold, as frozen dataclasses. Nothing here is worded or drawn."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fuselab.records.profile import Profile
from fuselab.records.run import RunRecord


@dataclass(frozen=True)
class Diff:
    """diff.json and the folder it lies in."""

    folder: Path
    note: str = ""

    @property
    def picture(self) -> Path | None:
        path = self.folder / "diff.svg"
        return path if path.is_file() else None

    @property
    def movers(self) -> Path | None:
        path = self.folder / "movers.csv"
        return path if path.is_file() else None


@dataclass(frozen=True)
class Processed:
    """profile.json and the folder it lies in."""

    folder: Path
    profile: Profile


@dataclass(frozen=True)
class Run:
    record: RunRecord
    folder: Path
