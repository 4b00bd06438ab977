"""Ratios with intervals on one axis: the verdicts, and what profiling cost."""

from __future__ import annotations

import math
from collections.abc import Sequence

import matplotlib
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from fuselab.records.comparison import Comparison
from fuselab.report import words
from fuselab.report.figures import palette
from fuselab.report.figures.base import NARROW_IN, Places, figure, short
from fuselab.report.figures.drawing import RC, Drawing

_DATA = (
    "workload", "baseline", "variant", "metric", "better", "blocks", "ratio", "ratio_low", "ratio_high", "level",
    "verdict",
)  # fmt: skip
_CHARACTERS_PER_IN = 14
_PAPER, _TEXT = 2.4, 2.6
"""Above band, lines and grid; the marks are above the paper too."""
_CHANGES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
_TICKS = (*_CHANGES, 1.0, 1.05, 1.1, 1.2, 1.35, 1.5, 2.0, 3.0, 5.0, 10.0, 20.0, 50.0, 100.0)


@matplotlib.rc_context(RC)
def ratios(
    name: str,
    rows: Sequence[tuple[str, Comparison]],
    variants: Places,
    threshold: float,
    width_in: float,
    caption: str,
) -> Drawing:
    """Every ratio of `rows` (label, comparison) with its interval on one logarithmic axis, the threshold shaded.

    Rows stand in two groups, where higher and where lower figures are better, because left and right mean the
    opposite in them. A filled mark is a decided verdict (faster or slower), a hollow one is not.
    """
    shown = [(label, row) for label, row in rows if row.has_interval]
    low, high = _ratio_range([row for _, row in shown], threshold)
    groups = [(better, [r for r in shown if r[1].better == better]) for better in ("higher", "lower")]
    groups = [group for group in groups if group[1]]
    place = _beside if width_in > NARROW_IN else _above
    pitch_in = 0.3 if place is _beside else 0.42
    made, axes = figure(width_in, 0.5 + pitch_in * (len(shown) + len(groups)))
    axes.set(xscale="log", xlim=(low, high))
    axes.axvspan(max(low, 1 - threshold), min(high, 1 + threshold), ymax=0.99, color=palette.BAND.light, lw=0)
    axes.axvline(1, ymax=0.99, color=palette.MUTED.light, lw=0.9)
    y = 0
    for better, group in groups:
        _ratio_heading(axes, y, better)
        for label, row in group:
            y += 1
            mark_y = place(axes, y, label, words.estimate(*row.interval), width_in)
            _ratio_mark(axes, mark_y, row, variants.get(row.variant, 1))
        y += 1
    axes.set_ylim(y - 0.4, -0.5)
    _ratio_axis(axes, low, high, width_in - (3.9 if place is _beside else 0))
    data = pd.DataFrame([row for _, row in shown], columns=list(_DATA))
    alt = f"Ratios with intervals for {words.plural(len(shown), 'comparison')}: " + "; ".join(
        f"{label} {words.estimate(*row.interval)}" for label, row in shown
    )
    return Drawing(name, made, data, alt, caption)


def _ratio_heading(axes: Axes, y: float, better: str) -> None:
    left, right = ("slower", "faster") if better == "higher" else ("better", "worse")
    transform = axes.get_yaxis_transform()
    _clear(axes, y - 0.6, y + 0.5)
    for x, side, text in (
        (0, "left", f"← {left}"),
        (0.5, "center", f"{better} is better"),
        (1, "right", f"{right} →"),
    ):
        axes.text(
            x, y, text, transform=transform, ha=side, va="center", color=palette.MUTED.light, zorder=_TEXT
        )


def _beside(axes: Axes, y: float, label: str, said: str, width_in: float) -> float:
    """Label and figures in columns at the sides of the axis."""
    transform = axes.get_yaxis_transform()
    axes.text(-0.02, y, _fitted(label, int(width_in * 4.6)), transform=transform, va="center", ha="right")
    axes.text(1.02, y, said, transform=transform, va="center", color=palette.MUTED.light)
    return y


def _above(axes: Axes, y: float, label: str, said: str, width_in: float) -> float:
    """Label and figures above the mark, where there is no room beside it."""
    transform = axes.get_yaxis_transform()
    room = int(width_in * _CHARACTERS_PER_IN) - len(said)
    _clear(axes, y - 0.52, y - 0.06)
    axes.text(0, y - 0.28, _fitted(label, room), transform=transform, va="center", zorder=_TEXT)
    axes.text(
        1,
        y - 0.28,
        said,
        transform=transform,
        va="center",
        ha="right",
        color=palette.MUTED.light,
        zorder=_TEXT,
    )
    return y + 0.14


def _fitted(label: str, room: int) -> str:
    """Cut before the workload, which tells rows apart that are alike until there."""
    head, before, workload = label.rpartition(", ")
    left = room - len(before + workload)
    return (
        f"{short(head, left)}{before}{workload}"
        if len(label) > room and 2 * left > room
        else short(label, room)
    )


def _clear(axes: Axes, top: float, bottom: float) -> None:
    """Neither band nor line behind words, however wide the reader's font is."""
    axes.axhspan(top, bottom, color=palette.PAPER.light, lw=0, zorder=_PAPER)


def _ratio_mark(axes: Axes, y: float, row: Comparison, position: int) -> None:
    ratio, *ends = row.interval
    colour = palette.of_variant(position).light
    face = colour if row.differs else palette.PAPER.light
    axes.plot(ends, [y, y], color=colour, lw=2.2, solid_capstyle="butt", zorder=_TEXT)
    axes.plot(
        [ratio], [y], palette.marker(position), ms=6.5, mfc=face, mec=colour, mew=1.5, clip_on=False,
        zorder=_TEXT + 0.1,
    )  # fmt: skip


def _ratio_range(rows: Sequence[Comparison], threshold: float) -> tuple[float, float]:
    _, lows, highs = zip(*(row.interval for row in rows), strict=True) if rows else ((), (), ())
    low, high = min([low for low in lows if low > 0] or [1.0]), max(highs or [1.0])
    pad = max(1 + 1.6 * threshold, 1.02)
    return min(low * 0.97, 1 / pad), max(high * 1.03, pad)


def _ratio_axis(axes: Axes, low: float, high: float, width_in: float) -> None:
    room = 0.62 / width_in * math.log(high / low)  # the width of one label, on the axis
    ticks = [1.0]
    for tick in sorted((t for t in _TICKS if low <= t <= high), key=lambda t: abs(math.log(t))):
        if all(abs(math.log(tick / other)) > room for other in ticks):
            ticks.append(tick)
    axes.xaxis.set_major_locator(FixedLocator(sorted(ticks)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: words.on_axis(x, ticks)))
    axes.yaxis.set_visible(False)
    axes.spines["left"].set_visible(False)
    axes.grid(visible=True, axis="x")
