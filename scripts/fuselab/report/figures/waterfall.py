"""From what an operation takes on the baseline to what it takes on the variant, one bar for each cause."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib
import pandas as pd
from matplotlib.axes import Axes

from fuselab.report import words
from fuselab.report.accounted import REST, Step
from fuselab.report.figures import palette, stacked
from fuselab.report.figures.base import NARROW_IN, Places, colours, figure, short
from fuselab.report.figures.drawing import RC, Drawing

_SAID = {
    "oncpu_ns": "on CPU in",
    "blocked_ns": "blocked in",
    "preempted_ns": "off CPU, preempted in",
    "queued_ns": "queued before",
    "awaiting_ns": "awaiting in",
    "outside_ns": "outside the target",
    "": "smaller changes",
}
_COLOURS = {part: colour for part, _, colour in (*stacked.SAMPLED, stacked.AWAITING)}
_HEIGHT = 0.62
_ROOM = 1.2, 1.45
"""Of the longest bar, with the figure beside it: on a page, and on a phone."""


@dataclass(frozen=True)
class Sides:
    """What is compared, and what an operation takes on each of both."""

    baseline: str
    variant: str
    before_ns: float
    after_ns: float


@matplotlib.rc_context(RC)
def waterfall(
    name: str, title: str, sides: Sides, steps: Sequence[Step], rest: str, caption: str, variants: Places,
    width_in: float,
) -> Drawing:  # fmt: skip
    """Every step begins where the one before ended. `rest` is what the part of no cause is called."""
    narrow = width_in == NARROW_IN
    rows = _rows(sides, steps, rest)
    made, axes = figure(width_in, 0.62 + (0.4 if narrow else 0.29) * len(rows))
    divisor, unit = words.scale_for("ns", float(rows[["from_ns", "to_ns"]].max().max()))
    shades = [
        colours(variants)[sides.baseline], *(_COLOURS.get(step.part, palette.UNEXPLAINED).light for step in steps),
        colours(variants)[sides.variant],
    ]  # fmt: skip
    bars = zip(*(rows[name].tolist() for name in ("from_ns", "to_ns", "said")), shades, strict=True)
    for y, (from_ns, to_ns, said, shade) in enumerate(bars):
        begin, end = from_ns / divisor, to_ns / divisor
        axes.barh(y, end - begin, left=begin, height=_HEIGHT, color=shade)
        axes.annotate(
            said, (max(begin, end), y), xytext=(5, 0), textcoords="offset points", va="center",
            weight="bold" if y in (0, len(rows) - 1) else "normal",
        )  # fmt: skip
        if y < len(rows) - 1:  # to where the next one begins
            axes.plot([end, end], [y - _HEIGHT / 2, y + 1 + _HEIGHT / 2], color=palette.MUTED.light, lw=0.7)
    _axis(axes, rows, narrow)
    low, high = (float(find(rows[["from_ns", "to_ns"]].stack())) / divisor for find in (min, max))
    axes.set(xlim=(min(0.0, low), high * _ROOM[narrow]), xlabel=f"[{unit}]", title=title)
    alt = f"{title}: " + "; ".join(rows["step"] + " " + rows["said"])
    return Drawing(name, made, rows.drop(columns="said"), alt, caption)


def _axis(axes: Axes, rows: pd.DataFrame, narrow: bool) -> None:
    labels = [
        f"{short(part, 24)}\n{short(name, 26)}" if narrow and name else short(f"{part} {name}".strip(), 52)
        for part, name in zip(rows["cause"], rows["operation"], strict=True)
    ]
    axes.set_yticks(range(len(rows)), labels)
    axes.yaxis.set_tick_params(length=0, labelcolor=palette.INK.light)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.grid(visible=True, axis="x")
    axes.grid(visible=False, axis="y")


def _rows(sides: Sides, steps: Sequence[Step], rest: str) -> pd.DataFrame:
    """cause, operation, step, from_ns, to_ns and what is said of it, in the order of the bars."""
    said = _SAID | {REST: rest}
    rows = [(sides.baseline, "", 0.0, sides.before_ns, words.quantity(sides.before_ns, "ns"))]
    at = sides.before_ns
    for step in steps:
        sign = "+" if step.change_ns > 0 else ""
        text = f"{sign}{words.quantity(step.change_ns, 'ns')}"
        rows.append((said[step.part], step.name, at, at + step.change_ns, text))
        at += step.change_ns
    rows.append((sides.variant, "", 0.0, sides.after_ns, words.quantity(sides.after_ns, "ns")))
    table = pd.DataFrame(rows, columns=["cause", "operation", "from_ns", "to_ns", "said"])
    return table.assign(step=(table["cause"] + " " + table["operation"]).str.strip())
