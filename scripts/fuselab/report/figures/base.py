"""What all figures share: sizes, colours and marks by variant, axes with units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fuselab.report import words
from fuselab.report.figures import palette
from fuselab.report.figures.drawing import RC

NARROW_IN, WIDE_IN = 3.75, 9.6
"""Inches at 96 px: the width of a phone's column, and of the page's."""


def figure(width_in: float, height_in: float) -> tuple[Figure, Axes]:
    with matplotlib.rc_context(RC):
        made = Figure(figsize=(width_in, height_in), layout="constrained")
        return made, made.add_subplot()


Places = Mapping[str, int]
"""Variant -> its place among all variants of the experiment, which decides its colour and mark on the whole page."""


def places(variants: Sequence[str]) -> Places:
    return {name: i for i, name in enumerate(variants)}


def present(variants: Places, data: pd.DataFrame) -> list[str]:
    """The variants that `data` holds, in the plan's order."""
    held = set(data["variant"])
    return [name for name in variants if name in held]


def colours(variants: Places) -> dict[str, str]:
    return {name: palette.of_variant(i).light for name, i in variants.items()}


def markers(variants: Places) -> dict[str, str]:
    return {name: palette.marker(i) for name, i in variants.items()}


def scaled(values: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    unit = str(values["unit"].iloc[0])
    divisor, name = words.scale_for(unit, float(values["value"].median()))
    return values.assign(value=values["value"] / divisor), name


def value_axis(axes: Axes, unit: str, noun: str) -> None:
    axes.set_ylabel("")
    axes.set_title(f"{noun} [{unit}]")
    low, high = axes.get_ylim()
    axes.set_ylim(0 if low > 0 and low < 0.6 * high else low, high)


def short(name: str, room: int) -> str:
    return name if len(name) <= room else name[: room - 1] + "…"


def legend(axes: Axes, entries: int) -> None:
    made = axes.legend(
        loc="upper center",
        bbox_to_anchor=(0.5, -0.2),
        ncols=min(3, entries),
        title=None,
        handlelength=1.4,
        columnspacing=1.2,
    )
    for handle in made.get_lines():  # runs are drawn thin and pale; their legend is not
        handle.set(alpha=1, linewidth=2)
