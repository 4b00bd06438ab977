"""The figure on the first screen: primary ratios with their intervals on one axis."""

from __future__ import annotations

import math
from functools import partial

from fuselab.report import words
from fuselab.report.embed import Draws
from fuselab.report.figures import base, intervals
from fuselab.report.page import verdicts
from fuselab.report.reading import Results

_CAPTION = (
    "Each mark is a variant's typical ratio to its baseline, the bar its interval. A filled mark is a difference: its "
    "bar stays clear of the line, also after the correction for how many are compared. The shaded band is the "
    "threshold, the change that was said beforehand to matter."
)
_MOST_ROWS, _LEAST = 40, 1e-9
_MOST = "Of {all} ratios the {most} that are furthest from 1 are drawn; all are in the table."


def draws(results: Results) -> Draws | None:
    """None where no row has an interval: everything failed, or there are too few blocks."""
    plan = results.plan
    several = len(plan.judged) > 1
    labels = [
        (f"{row.variant}: {words.plain_noun(row.metric)}" + (f", {row.workload}" if several else ""), row)
        for row in verdicts.primary_rows(results)
        if row.has_interval
    ]
    if not labels:
        return None
    places, caption = base.places(plan.names()), _CAPTION
    if len(labels) > _MOST_ROWS:
        caption = f"{_CAPTION} {_MOST.format(all=len(labels), most=_MOST_ROWS)}"
        furthest = sorted(labels, key=lambda each: -abs(math.log(max(each[1].interval[0], _LEAST))))[
            :_MOST_ROWS
        ]
        labels = [each for each in labels if each in furthest]
    return partial(intervals.ratios, rows=labels, variants=places, threshold=plan.threshold, caption=caption)
