"""The nights of an experiment: `results/<experiment>/history/<night>/`, a few small files each, never changed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from fuselab.records.places import Home
from fuselab.records.plan import PlanFile
from fuselab.records.summary import Summary


@dataclass(frozen=True)
class Night:
    """One night. `night` is its folder's name, `YYYY-MM-DD`."""

    night: str
    plan: PlanFile
    summary: Summary


def read_nights(folders: Iterable[Path]) -> tuple[tuple[Night, ...], tuple[str, ...]]:
    """The nights in `folders`, the oldest first, and what is to be said of those that cannot be read."""
    nights, faults = [], []
    for folder in sorted(folders):
        try:
            nights.append(_read(folder))
        except (OSError, msgspec.MsgspecError) as error:
            faults.append(
                f"The night of {folder.name} is left out, because its files cannot be read: {error}."
            )
    return tuple(nights), tuple(faults)


def _read(folder: Path) -> Night:
    plan = msgspec.json.decode(Home(folder).plan.read_bytes(), type=PlanFile)
    summary = msgspec.json.decode(Home(folder).summary.read_bytes(), type=Summary)
    return Night(folder.name, plan, summary)
