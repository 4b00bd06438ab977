"""Timed runs: by variant, by block, by percentile, by second. Every run is drawn, up to so many that none can be told
from its neighbours: of those, the spread.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator

from fuselab.report import words
from fuselab.report.figures import palette
from fuselab.report.figures.base import (
    FEW_NAMED,
    MOST_COLOURS,
    NARROW_IN,
    Places,
    colours,
    figure,
    from_nothing,
    legend,
    markers,
    named,
    present,
    scaled,
    short,
    style_of,
    value_axis,
)
from fuselab.report.figures.drawing import RC, Drawing
from fuselab.report.figures.lines import Lines, spread

ONE_RUN, OF_POINTS = "one timed run", "the geometric mean of one timed run at each point"
"""What a mark stands for."""
_PAIRED = (
    "One mark is {}; a line joins the runs of one block. Lines that all lean the same way are an "
    "effect, lines that cross are noise."
)
_UNPAIRED = "One mark is {}. What is compared is within a block: the ratios above tell."
_MOST_PAIRS = 3
"""That each stand by themselves."""
_IN_ORDER = (
    "The same runs in order of time. What moves all variants together is the machine, and cancels within a "
    "block."
)
_SPREAD_BY_VARIANT = (
    "Of so many runs the spread is drawn: the mark is a variant's median, the thick bar holds the middle half of its "
    "runs, the thin one the middle 80 %."
)
_ROW_IN = 0.17
"""Height of a variant where each is a row: as many names as are more than colours would overlap below the axis."""
_MOST_MARKS = 250
"""Runs in a figure up to which each has a mark: a page with some thousands of marks is slow to open."""
_SPARSE = 12
"""Points of a line, on average, up to which each is marked: a line between two points claims more than they do."""
_FEWEST_TICKS = 3
_STEPS = ((1.0,), (1.0, 2.0, 5.0), (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0))
"""Within a decade, the coarsest first."""
_LATENCY = (
    "Every run is one line; the axis stretches the tail. Curves that part only at the right differ in their "
    "tail alone."
)


@matplotlib.rc_context(RC)
def paired(
    name: str,
    values: pd.DataFrame,
    variants: Places,
    noun: str,
    pairs: Sequence[tuple[str, str]] = (),
    mark: str = ONE_RUN,
) -> Drawing:
    """One mark per timed run by variant; a line joins the runs of one block that are compared: `pairs` are baselines
    with their variants. Each pair stands by itself; of many pairs there are no lines. `values`: block, variant, value,
    unit. `mark` says what one stands for, where that is not one run."""
    shown, unit = scaled(values)
    names = present(variants, values)
    each = len(shown) <= _MOST_MARKS
    joined = [pair for pair in pairs if {*pair} <= {*names}] if each else []
    if not {*names} <= {name for pair in joined for name in pair} or len(joined) > _MOST_PAIRS:
        joined = []
    names = [name for pair in joined for name in pair] or names
    lying = len(names) > MOST_COLOURS
    made, axes = figure(NARROW_IN, max(2.9, _ROW_IN * len(names) + 0.6) if lying else 2.9)
    if each:
        wide = shown.pivot(index="block", columns="variant", values="value")
        _marks(axes, wide[names], variants, joined=bool(joined), lying=lying)
    else:
        _bars(axes, spread(shown, ["variant"]).loc[names], variants, lying=lying)
    if lying:
        axes.set_yticks(range(len(names)), [short(name_of, 22) for name_of in names])
        axes.set_ylim(len(names) - 0.5, -0.5)
        axes.set_title(f"{noun} [{unit}]")
        axes.grid(axis="x")
        axes.grid(visible=False, axis="y")
        from_nothing(axes, "x")
    else:
        tilted: dict[str, Any] = {"rotation": 30, "ha": "right"} if len(names) > 4 else {}
        labels = [short(name_of, 14 if tilted else 26 // len(names) + 4) for name_of in names]
        axes.set_xticks(range(len(names)), labels, **tilted)
        axes.set_xlim(-0.5, len(names) - 0.5)
        value_axis(axes, unit, noun)
        axes.set_xlabel("")
    if each:
        lines = "; lines join the runs of one block" if joined else ""
        alt = f"{noun} of every timed run by variant, in {unit}{lines}."
        return Drawing(name, made, values, alt, (_PAIRED if joined else _UNPAIRED).format(mark))
    alt = f"Spread of {noun} over {len(shown)} timed runs by variant, in {unit}."
    return Drawing(name, made, spread(values, ["variant", "unit"]).reset_index(), alt, _SPREAD_BY_VARIANT)


def _marks(axes: Axes, wide: pd.DataFrame, variants: Places, joined: bool, lying: bool) -> None:
    """`wide` has one column a variant; where they are `joined`, two for each pair."""
    for i in range(0, len(wide.columns) if joined else 0, 2):
        axes.plot(
            (i, i + 1), wide.iloc[:, i : i + 2].T.to_numpy(), color=palette.LINE.light, lw=0.9, zorder=1
        )
    for i, name in enumerate(wide.columns):
        at, own = [i] * len(wide), wide.iloc[:, i]
        axes.plot(
            *((own, at) if lying else (at, own)), markers(variants)[name], ms=4.2, ls="none",
            mfc=colours(variants)[name], mec=palette.PAPER.light, mew=0.5,
        )  # fmt: skip


def _bars(axes: Axes, spreads: pd.DataFrame, variants: Places, lying: bool) -> None:
    own = [colours(variants)[name] for name in spreads.index]
    lines = axes.hlines if lying else axes.vlines
    lines(range(len(spreads)), spreads["p10"], spreads["p90"], colors=own, lw=1)
    lines(range(len(spreads)), spreads["p25"], spreads["p75"], colors=own, lw=4)
    for i, (name, middle) in enumerate(spreads["p50"].items()):
        axes.plot(
            *(([middle], [i]) if lying else ([i], [middle])), markers(variants)[str(name)], ms=5.5, mfc=own[i],
            mec=palette.PAPER.light, mew=0.8,
        )  # fmt: skip


@matplotlib.rc_context(RC)
def over_blocks(name: str, values: pd.DataFrame, variants: Places, noun: str) -> Drawing:
    """The same runs in the order of their blocks, so that drift shows."""
    made, axes = figure(NARROW_IN, 2.9)
    shown, unit = scaled(values)
    names = present(variants, values)
    told = named(names, shown)
    for name_of in names:
        own = shown[shown["variant"] == name_of].sort_values("block")
        marked = name_of in told and len(shown) <= _MOST_MARKS
        axes.plot(
            own["block"], own["value"], **style_of(name_of, variants, told), ms=5, mec=palette.PAPER.light,
            marker=markers(variants)[name_of] if marked else None, lw=1.2,
        )  # fmt: skip
    value_axis(axes, unit, noun)
    axes.set_xlabel("block, in order of time")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=7))
    legend(axes)
    alt = f"{noun} of every timed run over the blocks in order of time, in {unit}, one line per variant."
    return Drawing(name, made, values, alt, _IN_ORDER if told == names else f"{_IN_ORDER} {FEW_NAMED}")


@matplotlib.rc_context(RC)
def percentiles(
    name: str, curves: pd.DataFrame, variants: Places, noun: str, caption: str = _LATENCY
) -> Drawing:
    """Latency by percentile, one thin line per run. `curves`: variant, block, percentile, latency_ns."""
    made, axes = figure(NARROW_IN, 3.0)
    shown = curves.assign(value=curves["latency_ns"], run=curves["block"], x=curves["percentile"])
    names = present(variants, curves)
    drawn = Lines.of(shown)
    beyond = 1 / (1 - drawn.table["x"] / 100)
    drawn.over(beyond).draw(axes, variants, names, lw=0.9, alpha=0.55)
    axes.set(xscale="log", yscale="log", xlabel="percentile", ylabel="", title=f"{noun} latency")
    ticks = [(2, "50"), (10, "90"), (100, "99"), (1000, "99.9"), (10_000, "99.99")]
    ticks = [tick for tick in ticks if tick[0] <= beyond.max() * 1.01]
    axes.set_xticks([t for t, _ in ticks], [label for _, label in ticks])
    axes.xaxis.set_minor_locator(NullLocator())
    _label_durations(axes)
    legend(axes)
    alt = f"{noun} latency by percentile, {drawn.words}, coloured by variant."
    data = curves if drawn.each else drawn.data("percentile", "latency", "_ns")
    return Drawing(name, made, data, alt, drawn.caption(caption))


def _label_durations(axes: Axes) -> None:
    """Round figures along a logarithmic axis, as close together as it takes to label three of them."""
    low, high = axes.get_ylim()
    for steps in _STEPS:
        locator = LogLocator(subs=steps)
        if sum(low <= tick <= high for tick in locator.tick_values(low, high)) >= _FEWEST_TICKS:
            axes.yaxis.set_major_locator(locator)
            break
    else:  # less than a factor of two from end to end
        axes.yaxis.set_major_locator(MaxNLocator(nbins=5))
    axes.set_ylim(low, high)
    axes.yaxis.set_major_formatter(FuncFormatter(_duration))
    axes.yaxis.set_minor_formatter(NullFormatter())


def _duration(ns: float, _: int) -> str:
    divisor, unit = words.scale_for("ns", ns)
    return f"{ns / divisor:g}{words.NBSP}{unit}"


@matplotlib.rc_context(RC)
def over_time(
    name: str, series: pd.DataFrame, variants: Places, noun: str, unit: str, since: str, caption: str
) -> Drawing:
    """A figure over the seconds of a run, one thin line per run. `series`: variant, run, time_s, value.

    `since` says what happened at 0 s.
    """
    made, axes = figure(NARROW_IN, 3.0)
    divisor, shown_unit = words.scale_for(unit, float(series["value"].median()))
    names = present(variants, series)
    drawn = Lines.of(series.assign(x=series["time_s"]), step_s=_step_s(series))
    lines = len(drawn.table[["variant", "run"]].drop_duplicates())
    alone, sparse = lines <= len(names), len(drawn.table) <= min(_SPARSE * lines, _MOST_MARKS)
    drawn.divided(divisor).draw(
        axes, variants, names, lw=1.5 if alone else 0.9, alpha=1 if alone else 0.55,
        marker="." if sparse else None, ms=5, mec=palette.PAPER.light, mew=0.3,
    )  # fmt: skip
    axes.set(xlabel=f"time since {since} [s]", ylabel="", title=f"{noun} [{shown_unit}]", ylim=(0, None))
    legend(axes)
    alt = f"{noun} in {shown_unit} over the seconds since {since}, {drawn.words}, coloured by variant."
    data = series if drawn.each else drawn.data("time_s", "value", "")
    return Drawing(name, made, data, alt, drawn.caption(caption))


def _step_s(series: pd.DataFrame) -> float:
    """Between two entries of one run, as a rule: runs are laid above each other by whole steps."""
    steps = series.groupby(["variant", "run"], sort=False)["time_s"].diff()
    return float(steps[steps > 0].median()) if (steps > 0).any() else 1.0
