"""Figures over the values of a sweep: levels, ratios, and throughput against latency. One line a variant."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullLocator

from fuselab.report import words
from fuselab.report.figures import palette
from fuselab.report.figures.base import NARROW_IN, Places, colours, markers, present, short
from fuselab.report.figures.drawing import RC, Drawing

_LEVELS = (
    "One mark is the typical run of a variant at a value, over blocks, its bar the interval. Bars hold what drifts "
    "from block to block: what differs, the ratios tell."
)
_RATIOS = (
    "The ratio to the baseline at each value, with its interval. A filled mark is a difference, also after the "
    "correction for all points; the shaded band is the threshold. The verdict is on the whole curve."
)
_AGAINST = (
    "The same runs as throughput against latency; labels are the values of the axis. Where a line turns up, more load "
    "buys latency and no throughput."
)
_DODGE = 0.014
"""Between variants at one value, as a share of the axis, so that bars do not hide each other."""
_WIDE = 20.0
"""Largest level / smallest from which on levels are drawn on a logarithmic axis."""
_LOGARITHMIC = 8.0
"""Largest value / smallest from which on an axis of positive values is logarithmic."""


@dataclass(frozen=True)
class Panel:
    """What has axes of its own. `rows`: variant, value, text, estimate, low, high, and decided for ratios."""

    title: str
    rows: pd.DataFrame


@dataclass(frozen=True)
class Axis:
    """The swept values, in order."""

    label: str
    values: tuple[float, ...]
    texts: tuple[str, ...]

    @property
    def logarithmic(self) -> bool:
        return min(self.values) > 0 and max(self.values) / min(self.values) >= _LOGARITHMIC

    def shifted(self, value: float, by: float) -> float:
        """`value` moved by a share of the axis."""
        low, high = min(self.values), max(self.values)
        if self.logarithmic:
            return value * math.exp(by * math.log(high / low))
        return value + (high - low) * by


@matplotlib.rc_context(RC)
def levels(name: str, panels: Sequence[Panel], axis: Axis, variants: Places, *, width_in: float) -> Drawing:
    """The typical value of each variant over the axis, a panel for each metric and each value of a second axis."""
    made, grid = _grid(panels, width_in)
    for axes, panel in zip(grid, panels, strict=True):
        _lines(axes, panel, axis, variants)
        axes.set_title(panel.title)
        _value_axis(axes, panel.rows)
    _legend(made, panels, variants)
    alt = f"{_titles(panels)} over {axis.label} {', '.join(axis.texts)}"
    return Drawing(name, made, _data(panels), alt, _LEVELS)


@matplotlib.rc_context(RC)
def ratios(
    name: str, panels: Sequence[Panel], axis: Axis, variants: Places, threshold: float, *, width_in: float
) -> Drawing:
    """Variant / baseline over the axis, filled where a difference is decided."""
    made, grid = _grid(panels, width_in)
    for axes, panel in zip(grid, panels, strict=True):
        axes.axhspan(1 - threshold, 1 + threshold, color=palette.BAND.light, lw=0)
        axes.axhline(1, color=palette.MUTED.light, lw=0.9)
        axes.set_yscale("log")
        _lines(axes, panel, axis, variants)
        axes.set_title(panel.title)
        low, high = axes.get_ylim()
        ticks = _spread([t for t in _TICKS if low <= t <= high], low, high)
        axes.yaxis.set_major_locator(FixedLocator(ticks))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _, ticks=ticks: words.on_axis(y, ticks)))
    _legend(made, panels, variants)
    alt = f"{_titles(panels)} over {axis.label} {', '.join(axis.texts)}"
    return Drawing(name, made, _data(panels), alt, _RATIOS)


@matplotlib.rc_context(RC)
def against(
    name: str, panels: Sequence[Panel], variants: Places, x_label: str, *, width_in: float
) -> Drawing:
    """Throughput against latency: `rows` have throughput and estimate (latency), one mark a value of the axis."""
    made, grid = _grid(panels, width_in)
    for axes, panel in zip(grid, panels, strict=True):
        names = present(variants, panel.rows)
        sns.lineplot(
            panel.rows, x="throughput", y="estimate", hue="variant", style="variant", hue_order=names,
            style_order=names, palette=colours(variants), markers=markers(variants), dashes=False, lw=1.4, ms=6,
            mec=palette.PAPER.light, sort=False, estimator=None, legend=False, ax=axes,
        )  # fmt: skip
        axes.set(title=panel.title, xlabel=x_label, ylabel="", yscale="log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: words.number(y, 1)))
        axes.xaxis.set_major_locator(MaxNLocator(nbins=5))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: words.count(round(x))))
        axes.set_xlim(0, None)
        axes.margins(y=_LINE + 0.05)  # a label above the highest mark stays below the title
        _labels(axes, panel.rows, variants)
    _legend(made, panels, variants)
    alt = f"{_titles(panels)} against {x_label}"
    return Drawing(name, made, _data(panels), alt, _AGAINST)


_TICKS = (1.0, 2.0, 0.5, 1.5, 0.75, 3.0, 5.0, 10.0, 0.2, 0.1, 1.25, 0.9, 1.1, 0.05, 20.0, 50.0, 100.0)
"""Ratios to label, the most telling first."""
_BETWEEN_TICKS = 0.11
"""As a share of the axis."""


def _spread(ticks: Sequence[float], low: float, high: float) -> list[float]:
    """Those of `ticks` that have room beside the ones before them, on a logarithmic axis."""
    told: list[float] = []
    for tick in ticks:
        if all(abs(math.log(tick / other)) >= _BETWEEN_TICKS * math.log(high / low) for other in told):
            told.append(tick)
    return sorted(told)


def _value_axis(axes: Axes, rows: pd.DataFrame) -> None:
    """From 0 on; logarithmic where the largest level is many times the smallest."""
    if rows["estimate"].max() > _WIDE * rows["estimate"].min():
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: words.number(y, 1)))
        return
    low, high = axes.get_ylim()
    axes.set_ylim(0 if low > 0 and low < 0.6 * high else low, high)


def _grid(panels: Sequence[Panel], width_in: float) -> tuple[Figure, list[Axes]]:
    """Panels side by side on a page, one or two beside each other on a phone."""
    most = (1 if len(panels) <= 4 else 2) if width_in <= NARROW_IN else min(3, max(2, len(panels)))
    rows = math.ceil(len(panels) / most)
    width = max(width_in * len(panels) / most, 0.6 * width_in) if len(panels) < most else width_in
    made = Figure(figsize=(width, 2.5 * rows + 0.4), layout="constrained")
    grid = [made.add_subplot(rows, most, i + 1) for i in range(len(panels))]
    return made, grid


def _lines(axes: Axes, panel: Panel, axis: Axis, variants: Places) -> None:
    names = present(variants, panel.rows)
    if axis.logarithmic:
        axes.set_xscale("log")
    for i, name in enumerate(names):
        by = _DODGE * (i - (len(names) - 1) / 2)
        rows = panel.rows[panel.rows["variant"] == name].sort_values("value")
        rows = rows.assign(x=[axis.shifted(value, by) for value in rows["value"]])
        colour = colours(variants)[name]
        sns.lineplot(rows, x="x", y="estimate", color=colour, lw=1.4, estimator=None, legend=False, ax=axes)
        bars = rows.dropna(subset=["low", "high"])
        axes.vlines(bars["x"], bars["low"], bars["high"], color=colour, lw=1.6)
        decided = rows["decided"].tolist() if "decided" in rows else [True] * len(rows)
        for x, y, filled in zip(rows["x"].tolist(), rows["estimate"].tolist(), decided, strict=True):
            face = colour if filled else palette.PAPER.light
            axes.plot([x], [y], markers(variants)[name], ms=5.2, mfc=face, mec=colour, mew=1.2)
    # The whole axis, also where some values have no mark.
    ends = axis.shifted(min(axis.values), -_MARGIN), axis.shifted(max(axis.values), _MARGIN)
    axes.set(xlabel=axis.label, ylabel="", xlim=ends)
    axes.xaxis.set_major_locator(FixedLocator(list(_told(axis))))
    axes.xaxis.set_minor_locator(NullLocator())
    told = _told(axis)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: told.get(x, "")))


_MARGIN = 0.06
"""On both sides of the values, as a share of the axis."""
_ROOM = 0.085
"""Between two labels, as a share of the axis."""


def _told(axis: Axis) -> dict[float, str]:
    """The values that have room for their label."""
    low, high = min(axis.values), max(axis.values)

    def share(value: float) -> float:
        return (
            math.log(value / low) / math.log(high / low) if axis.logarithmic else (value - low) / (high - low)
        )

    told: dict[float, str] = {}
    for value, text in zip(axis.values, axis.texts, strict=True):
        if all(abs(share(value) - share(other)) >= _ROOM for other in told):
            told[value] = short(text, 14)
    return told


_LINE = 0.07
"""Between two lines of labels, as a share of the axis."""
_MOST_LABELS = 16
"""Marks that are all labelled; of more, the first and the last of each variant."""


def _labels(axes: Axes, rows: pd.DataFrame, variants: Places) -> None:
    """The value of each mark beside it where there is room; those at the ends of a line first."""
    by_variant = rows.groupby("variant")
    ends = rows.loc[sorted({*by_variant.head(1).index, *by_variant.tail(1).index})]
    wanted = pd.concat([ends, rows.drop(ends.index)]) if len(rows) <= _MOST_LABELS else ends
    to_share = axes.transData + axes.transAxes.inverted()
    told: list[tuple[float, float]] = []
    columns = (wanted[name].tolist() for name in ("variant", "text", "throughput", "estimate"))
    for variant, text, *place in zip(*columns, strict=True):
        x, y = to_share.transform((place[0], place[1]))
        if all(abs(x - other_x) >= _ROOM or abs(y - other_y) >= _LINE for other_x, other_y in told):
            told.append((x, y))
            axes.annotate(
                text, (place[0], place[1]), xytext=(3, 4), textcoords="offset points", fontsize=7.5,
                color=colours(variants)[variant],
            )  # fmt: skip


def _legend(made: Figure, panels: Sequence[Panel], variants: Places) -> None:
    names = [name for name in variants if any(name in set(panel.rows["variant"]) for panel in panels)]
    handles = [
        matplotlib.lines.Line2D(
            [],
            [],
            color=colours(variants)[name],
            marker=markers(variants)[name],
            ms=5.2,
            lw=1.4,
            label=short(name, 24),
        )
        for name in names
    ]
    made.legend(handles=handles, loc="outside lower center", ncols=min(3, len(names)), frameon=False)


def _titles(panels: Sequence[Panel]) -> str:
    """In a row, for a sentence that ends with the axis they share; without the colon of `write.bw: change`."""
    return "; ".join(panel.title.replace(": ", ", ") for panel in panels)


def _data(panels: Sequence[Panel]) -> pd.DataFrame:
    return pd.concat([panel.rows.assign(panel=panel.title) for panel in panels], ignore_index=True)
