"""The figures of a report, drawn with matplotlib and seaborn. They show figures that others computed.

Each function returns a `Drawing`; `drawing.inline` makes it part of a page, the bundle saves it as SVG and PDF.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from fuselab.report import palette, words
from fuselab.report.drawing import RC, Drawing
from fuselab.report.reading import Comparison

NARROW_IN, WIDE_IN = 3.75, 9.6
"""Inches at 96 px: the width of a phone's column, and of the page's."""
_CHARACTERS_PER_IN = 14
_BACK = {"facecolor": palette.PAPER.light, "edgecolor": "none", "pad": 1, "alpha": 0.8}
_TICKS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0, 1.05, 1.1, 1.2, 1.35, 1.5, 2.0, 3.0, 5.0, 10.0, 20.0, 50.0, 100.0)  # fmt: skip


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


# --- ratios with intervals ------------------------------------------------------------------------------------


def ratios(
    name: str, rows: Sequence[tuple[str, Comparison]], variants: Places, threshold: float, width_in: float
) -> Drawing:
    """Every ratio of `rows` (label, comparison) with its interval on one logarithmic axis, the threshold shaded.

    Rows stand in two groups, where higher and where lower figures are better, because left and right mean the
    opposite in them. A filled mark is a decided verdict (faster or slower), a hollow one is not.
    """
    shown = [(label, row) for label, row in rows if row.has_interval]
    low, high = _ratio_range([row for _, row in shown], threshold)
    with matplotlib.rc_context(RC):
        groups = [(better, [r for r in shown if r[1].better == better]) for better in ("higher", "lower")]
        groups = [group for group in groups if group[1]]
        place = _beside if width_in > NARROW_IN else _above
        pitch_in = 0.3 if place is _beside else 0.42
        made, axes = figure(width_in, 0.5 + pitch_in * (len(shown) + len(groups)))
        axes.set(xscale="log", xlim=(low, high))
        axes.axvspan(max(low, 1 - threshold), min(high, 1 + threshold), color=palette.BAND.light, lw=0)
        axes.axvline(1, color=palette.MUTED.light, lw=0.9)
        y = 0
        for better, group in groups:
            _ratio_heading(axes, y, better)
            for label, row in group:
                y += 1
                mark_y = place(axes, y, label, f"{words.change(row.ratio)} ({words.change_interval(row.low, row.high)})", width_in)
                _ratio_mark(axes, mark_y, row, variants.get(row.variant, 1))
            y += 1
        axes.set_ylim(y - 0.4, -0.5)
        _ratio_axis(axes, low, high, width_in - (3.9 if place is _beside else 0))
    data = pd.DataFrame([_ratio_data(row) for _, row in shown])
    alt = f"Ratios with intervals for {words.plural(len(shown), 'comparison')}: " + "; ".join(
        f"{label} {words.change(row.ratio)} ({words.change_interval(row.low, row.high)})" for label, row in shown
    )
    return Drawing(name, made, data, alt)


def _ratio_heading(axes: Axes, y: float, better: str) -> None:
    left, right = ("slower", "faster") if better == "higher" else ("better", "worse")
    options: dict[str, Any] = {"transform": axes.get_yaxis_transform(), "va": "center", "color": palette.MUTED.light}
    axes.text(0, y, f"← {left}", **options)
    axes.text(0.5, y, f"{better} is better", ha="center", bbox=_BACK, **options)
    axes.text(1, y, f"{right} →", ha="right", **options)


def _beside(axes: Axes, y: float, label: str, said: str, width_in: float) -> float:
    """Label and figures in columns at the sides of the axis."""
    transform = axes.get_yaxis_transform()
    axes.text(-0.02, y, _short(label, int(width_in * 4.6)), transform=transform, va="center", ha="right")
    axes.text(1.02, y, said, transform=transform, va="center", color=palette.MUTED.light)
    return y


def _above(axes: Axes, y: float, label: str, said: str, width_in: float) -> float:
    """Label and figures above the mark, where there is no room beside it."""
    transform = axes.get_yaxis_transform()
    room = int(width_in * _CHARACTERS_PER_IN) - len(said)
    axes.text(0, y - 0.28, _short(label, room), transform=transform, va="center", bbox=_BACK)
    axes.text(1, y - 0.28, said, transform=transform, va="center", ha="right", color=palette.MUTED.light, bbox=_BACK)
    return y + 0.12


def _ratio_mark(axes: Axes, y: float, row: Comparison, position: int) -> None:
    colour = palette.of_variant(position).light
    face = colour if row.word in ("faster", "slower") else palette.PAPER.light
    axes.plot([row.low, row.high], [y, y], color=colour, lw=2.2, solid_capstyle="butt")
    axes.plot([row.ratio], [y], palette.marker(position), ms=6.5, mfc=face, mec=colour, mew=1.5, clip_on=False)


def _ratio_range(rows: Sequence[Comparison], threshold: float) -> tuple[float, float]:
    lows = [row.low for row in rows if row.low > 0] or [1.0]
    low, high = min(lows), max([row.high for row in rows] or [1.0])
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
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: "no change" if x == 1 else words.change(x)))
    axes.yaxis.set_visible(False)
    axes.spines["left"].set_visible(False)
    axes.grid(visible=True, axis="x")


def _ratio_data(row: Comparison) -> dict[str, object]:
    return {
        "workload": row.workload,
        "baseline": row.baseline,
        "variant": row.variant,
        "metric": row.metric,
        "better": row.better,
        "blocks": row.blocks,
        "ratio": row.ratio,
        "ratio_low": row.low,
        "ratio_high": row.high,
        "level": row.level,
        "verdict": row.verdict,
    }


# --- distributions --------------------------------------------------------------------------------------------


def paired(name: str, values: pd.DataFrame, variants: Places, noun: str) -> Drawing:
    """One mark per timed run by variant; a line joins the runs of one block. `values`: block, variant, value, unit."""
    with matplotlib.rc_context(RC):
        made, axes = figure(NARROW_IN, 2.9)
        shown, unit = _scaled(values)
        names = present(variants, values)
        wide = shown.pivot(index="block", columns="variant", values="value")[names]
        axes.plot(range(len(names)), wide.T.to_numpy(), color=palette.LINE.light, lw=0.9, zorder=1)
        for i, name_of in enumerate(names):
            axes.plot(
                [i] * len(wide), wide[name_of], markers(variants)[name_of], ms=4.2, ls="none", mfc=colours(variants)[name_of],
                mec=palette.PAPER.light, mew=0.5,
            )  # fmt: skip
        short = [_short(each, 26 // len(names) + 4) for each in names]
        tilted: dict[str, Any] = {"rotation": 30, "ha": "right"} if len(names) > 4 else {}
        axes.set_xticks(range(len(names)), short, **tilted)
        axes.set_xlim(-0.5, len(names) - 0.5)
        _value_axis(axes, unit, noun)
        axes.set_xlabel("")
        alt = f"{noun} of every timed run by variant, in {unit}; lines join the runs of one block."
        return Drawing(name, made, values, alt)


def over_blocks(name: str, values: pd.DataFrame, variants: Places, noun: str) -> Drawing:
    """The same runs in the order of their blocks, so that drift shows."""
    with matplotlib.rc_context(RC):
        made, axes = figure(NARROW_IN, 2.9)
        shown, unit = _scaled(values)
        names = present(variants, values)
        sns.lineplot(
            shown, x="block", y="value", hue="variant", style="variant", hue_order=names, style_order=names,
            palette=colours(variants), markers=markers(variants), dashes=False, lw=1.2, ms=5, mec=palette.PAPER.light,
            estimator=None, ax=axes,
        )  # fmt: skip
        _value_axis(axes, unit, noun)
        axes.set_xlabel("block, in order of time")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=7))
        _legend(axes, len(names))
        alt = f"{noun} of every timed run over the blocks in order of time, in {unit}, one line per variant."
        return Drawing(name, made, values, alt)


def _scaled(values: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    unit = str(values["unit"].iloc[0])
    divisor, name = words.scale_for(unit, float(values["value"].median()))
    return values.assign(value=values["value"] / divisor), name


def _value_axis(axes: Axes, unit: str, noun: str) -> None:
    axes.set_ylabel("")
    axes.set_title(f"{noun} [{unit}]")
    low, high = axes.get_ylim()
    axes.set_ylim(0 if low > 0 and low < 0.6 * high else low, high)


def _short(name: str, room: int) -> str:
    return name if len(name) <= room else name[: room - 1] + "…"


def _legend(axes: Axes, entries: int) -> None:
    legend = axes.legend(
        loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=min(3, entries), title=None, handlelength=1.4, columnspacing=1.2
    )
    for handle in legend.get_lines():  # runs are drawn thin and pale; their legend is not
        handle.set(alpha=1, linewidth=2)


# --- latency and time -----------------------------------------------------------------------------------------


def percentiles(name: str, curves: pd.DataFrame, variants: Places, noun: str) -> Drawing:
    """Latency by percentile, one thin line per run. `curves`: variant, block, percentile, latency_ns."""
    with matplotlib.rc_context(RC):
        made, axes = figure(NARROW_IN, 3.0)
        divisor, unit = words.scale_for("ns", float(curves["latency_ns"].median()))
        shown = curves.assign(beyond=1 / (1 - curves["percentile"] / 100), value=curves["latency_ns"] / divisor)
        shown["run"] = shown["variant"] + shown["block"].astype(str)
        names = present(variants, curves)
        sns.lineplot(
            shown, x="beyond", y="value", hue="variant", hue_order=names, palette=colours(variants), units="run",
            estimator=None, lw=0.9, alpha=0.55, ax=axes,
        )  # fmt: skip
        axes.set(xscale="log", yscale="log", xlabel="percentile", ylabel="", title=f"{noun} latency [{unit}]")
        ticks = [(2, "50"), (10, "90"), (100, "99"), (1000, "99.9"), (10_000, "99.99")]
        ticks = [tick for tick in ticks if tick[0] <= shown["beyond"].max() * 1.01]
        axes.set_xticks([t for t, _ in ticks], [label for _, label in ticks])
        axes.xaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: words.number(y)))
        _legend(axes, len(names))
        alt = f"{noun} latency in {unit} by percentile, one line per timed run, coloured by variant."
        return Drawing(name, made, curves, alt)


def over_time(name: str, series: pd.DataFrame, variants: Places, noun: str, unit: str) -> Drawing:
    """A figure over the seconds of a run, one thin line per run. `series`: variant, run, time_s, value."""
    with matplotlib.rc_context(RC):
        made, axes = figure(NARROW_IN, 3.0)
        divisor, shown_unit = words.scale_for(unit, float(series["value"].max()))
        shown = series.assign(value=series["value"] / divisor, line=series["variant"] + series["run"].astype(str))
        names = present(variants, series)
        alone = len(set(shown["line"])) <= len(names)
        sns.lineplot(
            shown, x="time_s", y="value", hue="variant", hue_order=names, units="line", estimator=None, lw=1.5 if alone else 0.9,
            palette=colours(variants), alpha=1 if alone else 0.55, ax=axes,
        )  # fmt: skip
        axes.set(xlabel="time since the load began [s]", ylabel="", title=f"{noun} [{shown_unit}]", ylim=(0, None))
        _legend(axes, len(names))
        alt = f"{noun} in {shown_unit} over the seconds of the load, one line per run, coloured by variant."
        return Drawing(name, made, series, alt)


# --- where the time is ----------------------------------------------------------------------------------------

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
        totals = sum((spans[column].fillna(0).clip(lower=0) for column, _, _ in parts), start=spans["name"].map(lambda _: 0.0))
        divisor, unit = words.scale_for("ns", longest_ns)
        left = totals * 0
        for column, label, colour in parts:
            width = spans[column].fillna(0).clip(lower=0) / divisor
            axes.barh(range(len(spans)), width, left=left, height=0.66, color=colour.light, label=label)
            left = left + width
        axes.set_yticks(range(len(spans)), [_short(str(n), 24) for n in spans["name"]])
        axes.yaxis.set_tick_params(length=0, labelcolor=palette.INK.light)
        axes.invert_yaxis()
        axes.set(xlabel=f"self time in the whole run [{unit}]", xlim=(0, longest_ns / divisor * 1.02), title=title)
        axes.grid(visible=True, axis="x")
        axes.grid(visible=False, axis="y")
        made.legend(loc="outside upper left", ncols=2 if width_in == NARROW_IN else len(parts), handlelength=1)
        alt = f"{title}: self time by operation, stacked: " + "; ".join(
            f"{row['name']} {words.quantity(total, 'ns')}" for (_, row), total in zip(spans.iterrows(), totals, strict=True)
        )
        return Drawing(name, made, spans, alt)
