"""What all figures share: sizes, colours and marks by variant, axes with units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

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
    from_nothing(axes, "y")


def from_nothing(axes: Axes, of: Literal["x", "y"]) -> None:
    """Let an axis of figures begin at 0, where that leaves them most of it."""
    low, high = getattr(axes, f"get_{of}lim")()
    axes.set(**{f"{of}lim": (0 if low > 0 and low < 0.6 * high else low, high)})


MOST_COLOURS = len(palette.VARIANTS)
"""Variants that a figure tells apart by colour: of more, a legend would be longer than the figure, and name none."""
FEW_NAMED = "Of so many variants the baseline and the two ends have a colour."


def named(names: Sequence[str], values: pd.DataFrame) -> list[str]:
    """Those of the variants `names` that a figure names: all, or of too many the first and those with the lowest and
    the highest median. `values`: variant, value."""
    if len(names) <= MOST_COLOURS:
        return list(names)
    middle = values.groupby("variant")["value"].median()
    return [name for name in names if name in (names[0], middle.idxmin(), middle.idxmax())]


def style_of(name: str, variants: Places, told: Sequence[str]) -> dict[str, Any]:
    """Of a line: a colour and a place in the legend for those that are `told`, pale and behind them for others."""
    if name in told:
        return {"color": colours(variants)[name], "label": name, "zorder": 3}
    return {"color": palette.LINE.light, "label": "_", "zorder": 1.5}


def short(name: str, room: int) -> str:
    return name if len(name) <= room else name[: room - 1] + "…"


def legend(axes: Axes) -> None:
    entries = len(axes.get_legend_handles_labels()[0])
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
