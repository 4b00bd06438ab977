"""What profiling itself cost: compiled in, and switched on; from blocks of their own, apart from every verdict."""

from __future__ import annotations

from functools import partial

from fuselab.records.comparison import CostComparison
from fuselab.report.context import Link, Table
from fuselab.report.embed import Draws
from fuselab.report.figures import intervals
from fuselab.report.page import verdict_table
from fuselab.report.reading import Results

_CAPTION = (
    "Each profiler's price on the load itself: compiled in but off, against the plain build; switched on, against the "
    "same binary with it off. Timed runs, on which the verdicts rest, carry none of it."
)
_COLUMNS = ("profiler", "step", "workload", "metric", "change", "interval", "level", "verdict", "blocks")


def draws(results: Results) -> Draws | None:
    rows = [row for row in results.costs if row.has_interval and _is_shown(results, row)]
    if not rows:
        return None
    labels = [(f"{row.profiler}: {row.step}", row) for row in rows]
    names = list(dict.fromkeys(row.profiler for row in rows))
    positions = {row.variant: names.index(row.profiler) + 1 for row in rows}
    threshold = results.plan.threshold
    return partial(intervals.ratios, rows=labels, variants=positions, threshold=threshold, caption=_CAPTION)


def table(results: Results, links: tuple[Link, ...]) -> Table | None:
    if not results.costs:
        return None
    caption = "What profiling cost, every metric."
    return verdict_table.table("cost-table", caption, _COLUMNS, results.plan, results.costs, links)


def text(results: Results) -> str:
    if results.costs or not results.plan.profilers:
        return ""
    return "Not measured: `cost: true` in the experiment adds blocks that measure it. Timed runs carry no profiler."


def _is_shown(results: Results, row: CostComparison) -> bool:
    """The figure shows the first primary metric of each workload; the table has them all."""
    metrics = {r.metric for r in results.costs if r.workload == row.workload}
    first = next((m for m in results.plan.primary if m in metrics), row.metric)
    return row.metric == first
