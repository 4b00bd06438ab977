"""What lies behind the verdicts: every timed run by block, the latency curves, throughput over the seconds of a run."""

from __future__ import annotations

from collections.abc import Iterator
from operator import attrgetter

import pandas as pd

from fuselab.compare.curves import with_curves
from fuselab.report import words
from fuselab.report.context import FigureGroup
from fuselab.report.embed import view
from fuselab.report.figures import base, runs
from fuselab.report.figures.drawing import Drawing
from fuselab.report.page import inside_runs, turns
from fuselab.report.reading import Results

_THROUGHPUT = (
    "From fio's own log, which begins with what counts: what came before, the layout of its files and the ramp, is "
    "left out. A level line means that the load had settled; a falling one, that a cache was still filling."
)
_SINCE = "the first entry of the log"

_SAMPLE = ("workload", "block", "variant", "metric", "unit", "value")
"""Columns of metrics.csv that are drawn."""

Drawn = tuple[str, list[Drawing]]
"""A heading, and what stands below it."""


def distributions(results: Results) -> tuple[FigureGroup, ...]:
    """Each primary metric block by block, then the latency and the throughput inside the runs."""
    drawn = (*block_drawings(results), *run_drawings(results))
    return tuple(
        FigureGroup(title, tuple(view(drawing) for drawing in drawings)) for title, drawings in drawn
    )


def block_drawings(results: Results) -> Iterator[Drawn]:
    """Each primary metric under each workload: paired by block, and in order of time. Of a curve the geometric mean
    over its points, which is what is judged."""
    plan = results.plan
    measured = pd.DataFrame(list(map(attrgetter(*_SAMPLE), results.samples)), columns=list(_SAMPLE))
    if measured.empty:
        return
    table = with_curves(measured, plan.points)
    variants = base.places(plan.names())
    pairs = [(contrast.baseline, contrast.variant) for contrast in plan.contrasts]
    metrics = list(plan.primary) or list(dict.fromkeys(table["metric"]))[:4]
    for workload in plan.judged:
        for metric in metrics:
            here = (table["workload"] == workload) & (table["metric"] == metric)
            values = table[here & table["value"].notna()]
            if not values.empty:
                noun = words.capital(words.plain_noun(metric))
                mark = runs.OF_POINTS if workload in plan.curves else runs.ONE_RUN
                yield (
                    noun + _under(results, workload),
                    [
                        runs.paired(
                            words.slug("paired", workload, metric), values, variants, noun, pairs, mark
                        ),
                        runs.over_blocks(words.slug("blocks", workload, metric), values, variants, noun),
                    ],
                )


def run_drawings(results: Results) -> Iterator[Drawn]:
    """Latency by percentile and throughput over time, for loads that left them; not at each point of a curve."""
    variants = base.places(results.plan.names())
    for workload in (workload for workload in results.plan.workloads if workload.point is None):
        timed = [] if workload.slice_s else [r for r in results.runs if r.record.workload == workload.name]
        drawn: list[Drawing] = []
        if workload.slice_s is not None:
            drawn += turns.drawings(results, workload, variants)
        for direction, curves in _by_direction(inside_runs.latency_curves(timed)):
            name = words.slug("latency", workload.name, direction)
            drawn.append(runs.percentiles(name, curves, variants, words.capital(direction)))
        for direction, series in _by_direction(inside_runs.throughput(timed)):
            noun = f"{words.capital(direction)} throughput"
            name = words.slug("throughput", workload.name, direction)
            drawn.append(runs.over_time(name, series, variants, noun, "bytes/s", _SINCE, _THROUGHPUT))
        if drawn:
            yield "Inside the runs" + _under(results, workload.name), drawn


def _by_direction(table: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    return [] if table.empty else [(str(name), part) for name, part in table.groupby("direction", sort=False)]


def _under(results: Results, workload: str) -> str:
    if workload in results.plan.curves:
        return f", mean of the points of {workload}"
    return f" under {workload}" if len(results.plan.judged) > 1 else ""
