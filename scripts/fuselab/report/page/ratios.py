"""The figure on the first screen: primary ratios with their intervals on one axis."""

from __future__ import annotations

from fuselab.report import words
from fuselab.report.context import FigureView
from fuselab.report.figures import base, intervals
from fuselab.report.figures.drawing import Drawing
from fuselab.report.page import verdicts
from fuselab.report.page.distributions import view
from fuselab.report.reading import Results

_CAPTION = (
    "Each mark is a variant's typical ratio to its baseline, the bar its interval. A bar that stays clear of the line "
    "is a difference (filled mark); the shaded band is the threshold, the change that was said beforehand to matter."
)


def drawing(results: Results, width_in: float, name: str) -> Drawing | None:
    """None where no row has an interval: everything failed, or there are too few blocks."""
    plan = results.plan
    rows = sorted(verdicts.primary_rows(results), key=lambda row: verdicts.is_control(plan, row))
    several = len(plan.workloads) > 1
    labels = [
        (f"{row.variant}: {words.phrase(row.metric).noun}" + (f", {row.workload}" if several else ""), row)
        for row in rows
        if row.has_interval
    ]
    if not labels:
        return None
    return intervals.ratios(name, labels, base.places(plan.names()), plan.threshold, width_in, _CAPTION)


def figure(results: Results) -> FigureView | None:
    wide = drawing(results, base.WIDE_IN, "ratios")
    narrow = drawing(results, base.NARROW_IN, "ratios-narrow")
    return view(wide, narrow) if wide is not None else None
