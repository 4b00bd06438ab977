"""Which two variants are compared. It is a part of plan.json."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Contrast:
    """A pair of variants compared: `variant` against `baseline`."""

    baseline: str
    variant: str
