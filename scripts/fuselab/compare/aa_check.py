"""The A/A check: a variant identical to the baseline must not look different. The report's first line is made of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from fuselab.records.comparison import Comparison


@dataclass(frozen=True)
class ControlCheck:
    """`alarms` are the controls whose interval leaves out "no change", of `total`.

    `expected` is how many of so many do so by chance: at most this, on average.
    """

    total: int
    alarms: tuple[Comparison, ...]
    expected: float


def check_controls(rows: Iterable[Comparison], primary: Iterable[str]) -> ControlCheck | None:
    """The check over all rows of an experiment and its `primary` metrics (of all metrics if there are none).

    None where it has no control or none has an interval.
    """
    names = set(primary)
    controls = [
        row
        for row in rows
        if row.family == "control" and row.has_interval and (not names or row.metric in names)
    ]
    if not controls:
        return None
    alarms = tuple(row for row in controls if row.excludes_no_change)
    return ControlCheck(len(controls), alarms, sum(1 - (row.level or 0.95) for row in controls))
