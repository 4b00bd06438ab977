"""The ratio of one comparison night after night: intervals, and the levels between change points."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib
import pandas as pd
from matplotlib.ticker import FuncFormatter, MaxNLocator

from fuselab.report import words
from fuselab.report.figures import palette
from fuselab.report.figures.base import figure
from fuselab.report.figures.drawing import RC, Drawing

_CAPTION = (
    "One mark is one night, its line the interval; the thick line is the level. At a dashed line the level changed, as "
    "far as can be told within the shaded nights; at a dotted one the ratios began to mean something else."
)


@matplotlib.rc_context(RC)
def over_nights(
    name: str,
    nights: pd.DataFrame,
    noun: str,
    threshold: float,
    starts: Sequence[int],
    changes: Sequence[tuple[int, int, int]],
    width_in: float,
) -> Drawing:
    """`nights`: night, ratio, ratio_low, ratio_high, level, level_ratio, in order; figures may be missing.

    `starts` are the rows with which a new era begins, `changes` those with which a new level does, each with the last
    row that is surely of the old level and the first that is surely of the new one.
    """
    made, axes = figure(width_in, 2.6)
    colour = palette.of_variant(1).light
    x = range(len(nights))
    axes.axhspan(-threshold, threshold, color=palette.BAND.light, lw=0)
    axes.axhline(0, color=palette.MUTED.light, lw=0.9)
    axes.vlines(
        x, nights["ratio_low"] - 1, nights["ratio_high"] - 1, color=palette.MUTED.light, lw=1.6, alpha=0.5
    )
    for _, held in nights.reset_index(drop=True).groupby("level"):
        ratio = held["level_ratio"].iloc[0] - 1
        axes.plot(
            [held.index[0] - 0.4, held.index[-1] + 0.4], [ratio, ratio], color=colour, lw=2.4, alpha=0.7
        )
    axes.plot(x, nights["ratio"] - 1, "o", ms=4, mfc=palette.INK.light, mec=palette.PAPER.light, mew=0.5)
    for row, before, last in changes:
        axes.axvspan(before + 0.5, last - 0.5, color=palette.LINE.light, alpha=0.5, lw=0)
        axes.axvline(row - 0.5, color=palette.INK.light, lw=1, ls="--")
    for row in starts:
        axes.axvline(row - 0.5, color=palette.INK.light, lw=1, ls=":")
    axes.set_xlim(-0.7, len(nights) - 0.3)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=max(2, int(width_in)), integer=True))
    dates = list(nights["night"])
    axes.xaxis.set_major_formatter(
        FuncFormatter(lambda at, _: dates[int(at)] if at == int(at) and 0 <= at < len(dates) else "")
    )
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: words.percent(y, signed=True)))
    axes.set_title(noun)
    alt = (
        f"{noun} over {words.plural(len(nights), 'night')}, from {dates[0]} to {dates[-1]}, with "
        f"{words.plural(len(changes), 'change point')}."
    )
    return Drawing(name, made, nights, alt, _CAPTION)
