"""Where the time of operations is, as stacked bars."""

from __future__ import annotations

import matplotlib
import pandas as pd

from fuselab.report import palette, words
from fuselab.report.drawing import RC, Drawing
from fuselab.report.figures.base import NARROW_IN, figure, short

_CAPTION = (
    "Self time, so that the bars add up: time on a processor, blocked in the kernel or pushed off it, and suspended at "
    "an await. No sampler of stacks, on the processor or off it, sees what is awaiting. Unexplained: in a poll, and in "
    "no sample. All variants have the same axis. What threads do outside every operation, waiting for work above "
    "all, is in the table alone."
)
PARTS = (
    ("oncpu_ns", "on CPU", palette.ON_CPU),
    ("blocked_ns", "off CPU, blocked", palette.BLOCKED),
    ("preempted_ns", "off CPU, preempted", palette.PREEMPTED),
    ("awaiting_ns", "awaiting", palette.AWAITING),
    ("unexplained_ns", "unexplained", palette.UNEXPLAINED),
)


def blind_spots(name: str, title: str, spans: pd.DataFrame, longest_ns: float, width_in: float) -> Drawing:
    """Self time of each operation, stacked by what the time was. `spans`: name and the columns of PARTS.

    The axis ends at `longest_ns`, the same for every variant, so that bars compare between figures.
    """
    with matplotlib.rc_context(RC):
        made, axes = figure(width_in, 0.75 + 0.32 * len(spans) + (0.7 if width_in == NARROW_IN else 0.5))
        parts = [part for part in PARTS if part[0] in spans and spans[part[0]].fillna(0).sum() > 0]
        totals = sum(
            (spans[column].fillna(0).clip(lower=0) for column, _, _ in parts),
            start=spans["name"].map(lambda _: 0.0),
        )
        divisor, unit = words.scale_for("ns", longest_ns)
        left = totals * 0
        for column, label, colour in parts:
            width = spans[column].fillna(0).clip(lower=0) / divisor
            axes.barh(range(len(spans)), width, left=left, height=0.66, color=colour.light, label=label)
            left = left + width
        axes.set_yticks(range(len(spans)), [short(str(n), 24) for n in spans["name"]])
        axes.yaxis.set_tick_params(length=0, labelcolor=palette.INK.light)
        axes.invert_yaxis()
        axes.set(
            xlabel=f"self time in the whole run [{unit}]", xlim=(0, longest_ns / divisor * 1.02), title=title
        )
        axes.grid(visible=True, axis="x")
        axes.grid(visible=False, axis="y")
        made.legend(
            loc="outside upper left", ncols=2 if width_in == NARROW_IN else len(parts), handlelength=1
        )
        alt = f"{title}: self time by operation, stacked: " + "; ".join(
            f"{row['name']} {words.quantity(total, 'ns')}"
            for (_, row), total in zip(spans.iterrows(), totals, strict=True)
        )
        return Drawing(name, made, spans, alt, _CAPTION)
