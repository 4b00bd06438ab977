"""`profile.json`: what processing makes of one profiler's captures, beside the stacks, tables and pictures it names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from fuselab.files import read_json
from fuselab.records.places import PROFILE

Status = Literal["ok", "limited", "refused", "unavailable"]

Scale = Literal["per operation", "as it is", "by share"]
"""What of two profiles is held against each other: what an operation cost (twice the load gives twice the value), the
values themselves (live memory), or shares of the whole (profiles that go on for so long, whatever is done in it)."""


@dataclass(frozen=True)
class Profile:
    """`profile.json`: what processing made, or why it could not.

    `status` is `ok`; `limited` (there is a picture, with a caveat in `notes`); `refused` (a capture that should
    have worked and is empty, cut or without names: `notes` say why, `fix` names the setting to change); or
    `unavailable`.
    """

    profiler: str
    status: Status
    unit: str
    """Of `folded.txt`: `ns on CPU`, `ns off CPU`, `ns of span wall time`, `ns of poll time`, `bytes`, ..."""
    total: int
    captures: int
    operations: int
    bytes: int
    """Of all captures together, as `operations` is."""
    source_files: tuple[str, ...]
    operations_by_capture: tuple[int, ...] = ()
    bytes_by_capture: tuple[int, ...] = ()
    sample_value: float = 0.0
    """What one sample stands for, in the unit; 0 where everything is counted."""
    tool_versions: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    fix: str = ""
    findings: tuple[str, ...] = ()
    """What was seen, in sentences."""
    figures: Mapping[str, float | int | str] = field(default_factory=dict)
    """Quality figures that stand beside the flamegraph: share of whole stacks, of named frames, sampling error."""
    pictures: Mapping[str, str] = field(default_factory=dict)
    """Title -> file in the processed folder, beyond flamegraph.svg (jeprof graph, ...)."""
    units: Mapping[str, str] = field(default_factory=dict)
    """File of `pictures` -> its unit, where that is not `unit`."""
    tables: Mapping[str, str] = field(default_factory=dict)
    """Title -> Parquet file in the processed folder, beyond table.parquet."""

    @property
    def versions(self) -> dict[str, str]:
        """`tool_versions` as far as they are known, without the names that programs put before them."""
        said = self.tool_versions.items()
        return {name: text.removeprefix(f"{name} version ") for name, text in said if text != "unknown"}

    @property
    def has_picture(self) -> bool:
        return self.status in ("ok", "limited")


def read_profile(folder: Path) -> Profile:
    return read_json(folder / PROFILE, Profile)
