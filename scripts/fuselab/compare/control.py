"""The A/A check: a variant identical to the baseline must not look different."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from fuselab.compare.rows import Comparison


@dataclass(frozen=True)
class ControlCheck:
    """`alarms` are the controls on primary metrics whose interval leaves out 0 (a ratio of 1), of `total`."""

    total: int
    alarms: tuple[Comparison, ...]
    level: float

    @property
    def expected(self) -> float:
        """How many of so many intervals leave out 0 by chance: at most this, on average."""
        return self.total * (1 - self.level)


def check_controls(rows: Iterable[Comparison], primary: Iterable[str]) -> ControlCheck | None:
    """The check over all rows of an experiment; None where it has no control or none has an interval."""
    names = set(primary)
    controls = [
        row for row in rows if row.family == "control" and row.metric in names and row.ratio_low is not None
    ]
    if not controls:
        return None
    alarms = tuple(row for row in controls if not _covers_no_change(row))
    return ControlCheck(len(controls), alarms, controls[0].level)


def _covers_no_change(row: Comparison) -> bool:
    low, high = row.ratio_low, row.ratio_high
    return low is None or high is None or low <= 1 <= high
