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

NARROW_IN, WIDE_IN = 3.75, 7.9
"""Inches at 96 px: the width of a phone's column, and of the page's."""
_TICKS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0, 1.05, 1.1, 1.2, 1.35, 1.5, 2.0, 3.0, 5.0, 10.0, 20.0, 50.0, 100.0)  # fmt: skip


def figure(width_in: float, height_in: float) -> tuple[Figure, Axes]:
    with matplotlib.rc_context(RC):
        made = Figure(figsize=(width_in, height_in), layout="constrained")
        return made, made.add_subplot()


def colours(variants: Sequence[str]) -> dict[str, str]:
    return {name: palette.of_variant(i).light for i, name in enumerate(variants)}


def markers(variants: Sequence[str]) -> dict[str, str]:
    return {name: palette.marker(i) for i, name in enumerate(variants)}


# --- ratios with intervals ------------------------------------------------------------------------------------


def ratios(
    name: str, rows: Sequence[tuple[str, Comparison]], positions: Mapping[str, int], threshold: float, width_in: float
) -> Drawing:
    """Every ratio of `rows` (label, comparison) with its interval on one logarithmic axis, the threshold shaded.

    `positions`: variant -> its place in the palette.

    Rows stand in two groups, where higher and where lower figures are better, because left and right mean the
    opposite in them. A filled mark is a decided verdict (faster or slower), a hollow one is not.
    """
    with matplotlib.rc_context(RC):
        shown = [(label, row) for label, row in rows if row.has_interval]
        groups = [(better, [r for r in shown if r[1].better == better]) for better in ("higher", "lower")]
        groups = [group for group in groups if group[1]]
        lines = sum(len(group) for _, group in groups)
        made, axes = figure(width_in, 0.62 + 0.4 * lines + 0.34 * len(groups))
        low, high = _ratio_range([row for _, row in shown], threshold)
        axes.set_xscale("log")
        axes.axvspan(max(low, 1 / (1 + threshold)), min(high, 1 + threshold), color=palette.BAND.light, lw=0)
        axes.axvline(1, color=palette.MUTED.light, lw=0.9)
        y = 0.0
        for better, group in groups:
            words_of = ("slower", "faster") if better == "higher" else ("better", "worse")
            axes.text(0, y, f"{better} is better", transform=axes.get_yaxis_transform(), color=palette.MUTED.light, va="center")
            axes.text(1, y, f"← {words_of[0]}   {words_of[1]} →", transform=axes.get_yaxis_transform(), color=palette.MUTED.light, ha="right", va="center")
            y += 0.85
            for label, row in group:
                _ratio_row(axes, y, label, row, positions.get(row.variant, 1))
                y += 1
        axes.set_ylim(y - 0.3, -0.55)
        axes.set_xlim(low, high)
        _ratio_axis(axes, low, high, width_in)
        data = pd.DataFrame([_ratio_data(row) for _, row in shown])
        alt = f"Ratios with intervals for {words.plural(len(shown), 'comparison')}: " + "; ".join(
            f"{label} {words.change(row.ratio)} ({words.change_interval(row.low, row.high)})" for label, row in shown
        )
        return Drawing(name, made, data, alt)


def _ratio_row(axes: Axes, y: float, label: str, row: Comparison, position: int) -> None:
    colour = palette.of_variant(position).light
    decided = row.word in ("faster", "slower")
    transform = axes.get_yaxis_transform()
    axes.text(0, y - 0.28, label, transform=transform, va="center")
    said = f"{words.change(row.ratio)}  ({words.change_interval(row.low, row.high)})"
    axes.text(1, y - 0.28, said, transform=transform, va="center", ha="right", color=palette.MUTED.light)
    axes.plot([row.low, row.high], [y + 0.14] * 2, color=colour, lw=2.2, solid_capstyle="butt")
    face = colour if decided else palette.PAPER.light
    axes.plot([row.ratio], [y + 0.14], palette.marker(position), ms=6.5, mfc=face, mec=colour, mew=1.5)


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


def paired(name: str, values: pd.DataFrame, variants: Sequence[str], noun: str) -> Drawing:
    """One mark per timed run by variant; a line joins the runs of one block. `values`: block, variant, value, unit."""
    with matplotlib.rc_context(RC):
        made, axes = figure(NARROW_IN, 2.9)
        shown, unit = _scaled(values)
        sns.lineplot(
            shown, x="variant", y="value", units="block", estimator=None, color=palette.LINE.light, lw=0.9, ax=axes, sort=False
        )
        for i, variant in enumerate(variants):
            part = shown[shown.variant == variant]
            axes.plot(
                [i] * len(part), part["value"], palette.marker(i), ms=4.2, ls="none",
                mfc=palette.of_variant(i).light, mec=palette.PAPER.light, mew=0.5,
            )  # fmt: skip
        axes.set_xlim(-0.5, len(variants) - 0.5)
        axes.xaxis.set_major_locator(FixedLocator(list(range(len(variants)))))
        short = [_short(v, 26 // len(variants) + 4) for v in variants]
        axes.set_xticks(range(len(variants)), short, rotation=30 if len(variants) > 4 else 0, ha="right" if len(variants) > 4 else "center")
        _value_axis(axes, unit, noun)
        axes.set_xlabel("")
        alt = f"{noun} of every timed run by variant, in {unit}; lines join the runs of one block."
        return Drawing(name, made, values, alt)


def over_blocks(name: str, values: pd.DataFrame, variants: Sequence[str], noun: str) -> Drawing:
    """The same runs in the order of their blocks, so that drift shows."""
    with matplotlib.rc_context(RC):
        made, axes = figure(NARROW_IN, 2.9)
        shown, unit = _scaled(values)
        sns.lineplot(
            shown, x="block", y="value", hue="variant", style="variant", hue_order=variants, style_order=variants,
            palette=colours(variants), markers=markers(variants), dashes=False, lw=1.2, ms=5, mec=palette.PAPER.light,
            estimator=None, ax=axes,
        )  # fmt: skip
        _value_axis(axes, unit, noun)
        axes.set_xlabel("block, in order of time")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=7))
        _legend(axes, len(variants))
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


def _legend(axes: Axes, entries: int, **options: Any) -> None:
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=min(3, entries), title=None, handlelength=1.4, columnspacing=1.2, **options)


# --- latency and time -----------------------------------------------------------------------------------------


def percentiles(name: str, curves: pd.DataFrame, variants: Sequence[str], noun: str) -> Drawing:
    """Latency by percentile, one thin line per run. `curves`: variant, block, percentile, latency_ns."""
    with matplotlib.rc_context(RC):
        made, axes = figure(NARROW_IN, 3.0)
        divisor, unit = words.scale_for("ns", float(curves["latency_ns"].median()))
        shown = curves.assign(beyond=1 / (1 - curves["percentile"] / 100), value=curves["latency_ns"] / divisor)
        shown["run"] = shown["variant"] + shown["block"].astype(str)
        sns.lineplot(
            shown, x="beyond", y="value", hue="variant", hue_order=variants, palette=colours(variants), units="run",
            estimator=None, lw=0.9, alpha=0.55, ax=axes,
        )  # fmt: skip
        axes.set(xscale="log", yscale="log", xlabel="percentile", ylabel="", title=f"{noun} latency [{unit}]")
        ticks = [(2, "50"), (10, "90"), (100, "99"), (1000, "99.9"), (10_000, "99.99")]
        ticks = [tick for tick in ticks if tick[0] <= shown["beyond"].max() * 1.01]
        axes.set_xticks([t for t, _ in ticks], [label for _, label in ticks])
        axes.xaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: words.number(y)))
        _legend(axes, len(variants))
        alt = f"{noun} latency in {unit} by percentile, one line per timed run, coloured by variant."
        return Drawing(name, made, curves, alt)


def over_time(name: str, series: pd.DataFrame, variants: Sequence[str], noun: str, unit: str) -> Drawing:
    """A figure over the seconds of a run, one thin line per run. `series`: variant, run, time_s, value."""
    with matplotlib.rc_context(RC):
        made, axes = figure(NARROW_IN, 3.0)
        divisor, shown_unit = words.scale_for(unit, float(series["value"].max()))
        shown = series.assign(value=series["value"] / divisor, line=series["variant"] + series["run"].astype(str))
        present = [v for v in variants if v in set(series["variant"])]
        alone = len(set(shown["line"])) <= len(present)
        sns.lineplot(
            shown, x="time_s", y="value", hue="variant", hue_order=present, units="line", estimator=None, lw=1.5 if alone else 0.9,
            palette={v: colours(variants)[v] for v in present}, alpha=1 if alone else 0.55, ax=axes,
        )  # fmt: skip
        axes.set(xlabel="time since the load began [s]", ylabel="", title=f"{noun} [{shown_unit}]", ylim=(0, None))
        _legend(axes, len(present))
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


def blind_spots(name: str, spans: pd.DataFrame, width_in: float) -> Drawing:
    """Self time of each operation, stacked by what the time was. `spans`: name and the columns of PARTS."""
    with matplotlib.rc_context(RC):
        made, axes = figure(width_in, 0.75 + 0.32 * len(spans) + (0.5 if width_in == NARROW_IN else 0.3))
        parts = [part for part in PARTS if part[0] in spans and spans[part[0]].fillna(0).sum() > 0]
        totals = sum((spans[column].fillna(0).clip(lower=0) for column, _, _ in parts), start=spans["name"].map(lambda _: 0.0))
        divisor, unit = words.scale_for("ns", float(totals.max()))
        left = totals * 0
        for column, label, colour in parts:
            width = spans[column].fillna(0).clip(lower=0) / divisor
            axes.barh(range(len(spans)), width, left=left, height=0.66, color=colour.light, label=label)
            left = left + width
        axes.set_yticks(range(len(spans)), [_short(str(n), 24) for n in spans["name"]])
        axes.yaxis.set_tick_params(length=0, labelcolor=palette.INK.light)
        axes.invert_yaxis()
        axes.set(xlabel=f"self time in the whole run [{unit}]")
        axes.grid(visible=True, axis="x")
        axes.grid(visible=False, axis="y")
        made.legend(loc="outside upper left", ncols=2 if width_in == NARROW_IN else len(parts), handlelength=1)
        alt = "Self time by operation, stacked: " + "; ".join(
            f"{row['name']} {words.quantity(total, 'ns')}" for (_, row), total in zip(spans.iterrows(), totals, strict=True)
        )
        return Drawing(name, made, spans, alt)
