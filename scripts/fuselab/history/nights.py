"""The nights of an experiment: `results/<experiment>/history/<night>/`, a few small files each, never changed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from fuselab.checksums import write_sums
from fuselab.compare.schedule import NIGHT
from fuselab.records.plan import PlanFile
from fuselab.records.summary import Summary

KEPT = ("plan.json", "summary.json", "comparisons.csv", "metrics.csv")
"""Every figure of every run is in the last: what is said of a night can be judged anew when its blocks have gone."""


@dataclass(frozen=True)
class Night:
    """One night. `night` is its folder's name, `YYYY-MM-DD`."""

    night: str
    plan: PlanFile
    summary: Summary


def keep(experiment: Path, out: Path) -> None:
    """Copy what is kept of `results/<experiment>` as it is now to the folder `out`."""
    out.mkdir(parents=True, exist_ok=True)
    for name in KEPT:
        shutil.copyfile(experiment / name, out / name)
    write_sums(out)  # whole from here on, whenever the job is killed: that night will not come again


def kept(history: Path) -> Iterator[Path]:
    """The folders of the nights below `history`, the oldest first."""
    return iter(sorted(path.parent for path in history.glob(f"{NIGHT}/summary.json")))


def read_nights(history: Path) -> tuple[tuple[Night, ...], tuple[str, ...]]:
    """Every night below `history`, the oldest first, and what is to be said of those that cannot be read."""
    nights, faults = [], []
    for folder in kept(history):
        try:
            nights.append(_read(folder))
        except (OSError, msgspec.MsgspecError) as error:
            faults.append(
                f"The night of {folder.name} is left out, because its files cannot be read: {error}."
            )
    return tuple(nights), tuple(faults)


def _read(folder: Path) -> Night:
    plan = msgspec.json.decode((folder / "plan.json").read_bytes(), type=PlanFile)
    summary = msgspec.json.decode((folder / "summary.json").read_bytes(), type=Summary)
    return Night(folder.name, plan, summary)
