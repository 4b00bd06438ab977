"""Every figure of a report in a row, for those who save them."""

from __future__ import annotations

from collections.abc import Iterator

from fuselab.report import blindspots, costs, distributions, profiles, ratios
from fuselab.report.drawing import Drawing
from fuselab.report.figures.base import WIDE_IN
from fuselab.report.reading import Results


def gallery(results: Results) -> Iterator[Drawing]:
    """In the order of the page."""
    verdicts = ratios.drawing(results, WIDE_IN, "ratios")
    if verdicts is not None:
        yield verdicts
    for _, drawings in (*distributions.block_drawings(results), *distributions.run_drawings(results)):
        yield from drawings
    yield from blindspots.drawings(results)
    for p, profiler in enumerate(results.plan.profilers):
        for w, workload in enumerate(results.plan.workloads):
            yield from profiles.over_time_drawings(results, f"profiler-{p}-{w}", profiler.name, workload.name)
    cost = costs.drawing(results, WIDE_IN, "costs")
    if cost is not None:
        yield cost
