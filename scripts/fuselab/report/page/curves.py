"""Loads that were swept over a number: figures, a table of all points, and what they show in words."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pandas as pd

from fuselab.records.comparison import DIFFERENT, Comparison
from fuselab.records.plan import WorkloadPlan
from fuselab.report import swept, words
from fuselab.report.context import Cell, Column, CurveView, Table
from fuselab.report.embed import Draws, in_both_widths
from fuselab.report.figures import base
from fuselab.report.figures import curves as figures
from fuselab.report.figures.curves import Panel
from fuselab.report.figures.drawing import Drawing
from fuselab.report.page.curve_words import sentences
from fuselab.report.reading import Results
from fuselab.report.swept import Curve, Slice, point_of
from fuselab.workloads import quantity

_COLUMNS = ["variant", "value", "text", "estimate", "low", "high"]


def curves(results: Results) -> tuple[CurveView, ...]:
    return tuple(
        CurveView(
            title=curve.name,
            sentences=tuple(sentences(curve)),
            figures=tuple(in_both_widths(name, draws) for name, draws in _draws(curve).items()),
            table=_table(curve),
        )
        for curve in swept.curves(results)
    )


def drawings(results: Results) -> Iterator[Drawing]:
    """The figures as a paper prints them."""
    for curve in swept.curves(results):
        for name, draws in _draws(curve).items():
            yield draws(name, width_in=base.WIDE_IN)


def tables(results: Results) -> list[Table]:
    return [_table(curve) for curve in swept.curves(results)]


def _draws(curve: Curve) -> dict[str, Draws]:
    """By the name of the figure."""
    slug, variants = words.slug("curve", curve.name), curve.variants
    levels, ratios, (against, unit) = _levels(curve), _ratios(curve), _against(curve)
    found: dict[str, Draws] = {}
    if levels:
        found[f"{slug}-levels"] = partial(figures.levels, panels=levels, axis=curve.axis, variants=variants)
    if ratios:
        threshold = curve.plan.threshold
        found[f"{slug}-ratios"] = partial(
            figures.ratios, panels=ratios, axis=curve.axis, variants=variants, threshold=threshold
        )
    if against:
        found[f"{slug}-against"] = partial(figures.against, panels=against, variants=variants, x_label=unit)
    return found


def _levels(curve: Curve) -> list[Panel]:
    panels = []
    for metric in curve.metrics:
        parts = [(each, _level_rows(curve, each, metric)) for each in curve.slices]
        every = pd.concat([rows for _, rows in parts])
        if every.empty:
            continue
        divisor, unit = words.scale_for(quantity(metric).unit, float(every["estimate"].median()))
        noun = words.capital(words.plain_noun(metric))
        for each, rows in parts:
            scaled = rows.assign(**{name: rows[name] / divisor for name in ("estimate", "low", "high")})
            panels.append(Panel(f"{noun}{each.text} [{unit}]", scaled.assign(metric=metric, unit=unit)))
    return panels


def _level_rows(curve: Curve, each: Slice, metric: str) -> pd.DataFrame:
    rows = [
        (variant, at.value, at.text, level.estimate, level.low, level.high)
        for workload, at in zip(each.points, each.at, strict=True)
        for variant in curve.variants
        if (level := curve.level_of(workload.name, variant, metric))
    ]
    return pd.DataFrame(rows, columns=_COLUMNS).astype(dict.fromkeys(_COLUMNS[3:], float))


def _ratios(curve: Curve) -> list[Panel]:
    panels = []
    for metric in (m for m in curve.metrics if m in curve.plan.primary):
        for each in curve.slices:
            rows = [
                (
                    row.variant,
                    at.value,
                    at.text,
                    *row.interval,
                    row.word in DIFFERENT,
                    row.baseline,
                    row.verdict,
                )
                for workload, at in zip(each.points, each.at, strict=True)
                for pair in curve.plan.contrasts
                if (row := curve.rows.get((workload.name, pair.baseline, pair.variant, metric)))
                and row.has_interval
            ]
            if rows:
                frame = pd.DataFrame(rows, columns=[*_COLUMNS, "decided", "baseline", "verdict"])
                noun = words.capital(words.plain_noun(metric))
                panels.append(Panel(f"{noun}{each.text}: change", frame.assign(metric=metric)))
    return panels


def _against(curve: Curve) -> tuple[list[Panel], str]:
    """Throughput against latency, where the axis asks for more of the same at once or more often."""
    if not curve.is_of_intensity:
        return [], ""
    panels, unit = [], ""
    for side in dict.fromkeys(quantity(metric).side for metric in curve.metrics):
        throughput, latency = curve.first(side, "1/s"), curve.first(side, "ns")
        if throughput is None or latency is None:
            continue
        noun = words.capital(words.plain_noun(latency))
        for each in curve.slices:
            rows = _level_rows(curve, each, latency)
            fast = _level_rows(curve, each, throughput)
            joined = rows.merge(
                fast[["variant", "value", "estimate"]].rename(columns={"estimate": "throughput"}),
                on=["variant", "value"],
            )
            if joined.empty:
                continue
            scaled = joined.assign(**{name: joined[name] / 1e6 for name in ("estimate", "low", "high")})
            unit = f"{words.plain_noun(throughput)} [{quantity(throughput).unit}]"
            panels.append(Panel(f"{noun}{each.text} [ms]", scaled))
    return panels, unit


def _table(curve: Curve) -> Table:
    """Each primary metric at each point: what a paper prints beside the plot."""
    axes = [one.axis for one in point_of(curve.points[0]).at]
    heads = [Column(axis) for axis in axes] + [
        Column("metric"), Column("variant"), Column("baseline"), Column("typical", numeric=True),
        Column("of baseline", numeric=True), Column("change", numeric=True), Column("interval"), Column("verdict"),
    ]  # fmt: skip
    rows = [
        tuple(Cell(one.text, repr(one.value)) for one in point_of(workload).at) + _cells(curve, workload, row)
        for metric in (m for m in curve.metrics if m in curve.plan.primary)
        for workload in curve.points
        for pair in curve.plan.contrasts
        if (row := curve.rows.get((workload.name, pair.baseline, pair.variant, metric)))
    ]
    caption = (
        f"`{curve.name}`: each point, corrected for all points of the curve. The verdict is on the whole."
    )
    return Table(words.slug("curve", curve.name, "points"), caption, tuple(heads), tuple(rows))


def _cells(curve: Curve, workload: WorkloadPlan, row: Comparison) -> tuple[Cell, ...]:
    ratio, low, high = row.interval
    unit = quantity(row.metric).unit
    levels = [curve.level_of(workload.name, name, row.metric) for name in (row.variant, row.baseline)]
    typical = [
        Cell(words.quantity(level.estimate, unit), repr(level.estimate)) if level else Cell("")
        for level in levels
    ]
    change = (
        Cell(words.change_beside(ratio, low, high), repr(ratio)),
        Cell(words.change_interval(low, high), repr(low)),
    )
    return (
        Cell(row.metric), Cell(row.variant), Cell(row.baseline), *typical,
        *(change if row.has_interval else (Cell(""), Cell(""))),
        Cell(row.verdict, strong=row.word in (*DIFFERENT, "failed")),
    )  # fmt: skip
