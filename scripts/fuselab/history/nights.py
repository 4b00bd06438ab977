"""The nights of an experiment: `results/<experiment>/history/<night>/`, a few small files each, never changed."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import msgspec

from fuselab.report.plan import PlanFile
from fuselab.report.summary import Summary

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


def read_nights(history: Path) -> tuple[Night, ...]:
    """Every night below `history`, the oldest first.

    Raises:
        ValueError: a file of a night is missing or not what fuselab writes.
    """
    return tuple(_read(folder) for folder in sorted(history.glob("????-??-??")))


def _read(folder: Path) -> Night:
    try:
        plan = msgspec.json.decode((folder / "plan.json").read_bytes(), type=PlanFile)
        summary = msgspec.json.decode((folder / "summary.json").read_bytes(), type=Summary)
    except (OSError, msgspec.MsgspecError) as error:
        raise ValueError(f"{folder} is no whole night ({error}): remove it, or put its files back") from None
    return Night(folder.name, plan, summary)
