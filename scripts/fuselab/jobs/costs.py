"""What profiling itself costs, from blocks of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from fuselab.compare.comparisons import frame, judge
from fuselab.jobs.compare import attrition
from fuselab.records.comparison import CostComparison
from fuselab.records.design import CostStep, Design
from fuselab.records.table import write_rows
from fuselab.workloads.run_metrics import samples


def write_costs(
    design: Design, steps: Sequence[CostStep], blocks: Sequence[Path], kinds: Mapping[str, str], out: Path
) -> None:
    """costs.csv: every figure of the load, for each step as one contrast between two runs of the cost blocks."""
    measured, lost = frame(samples(blocks, kinds)), attrition(blocks, {}, ())
    workloads = tuple(sorted(set(measured["workload"])))
    rows = []
    for step in steps:
        own = replace(
            design,
            baseline=step.before,
            contrasts=((step.before, step.after),),
            workloads=workloads,
            blocks=len(blocks) // max(1, len(workloads)),
            controls=(),
        )
        rows += [
            CostComparison(**vars(row), profiler=step.profiler, step=step.step)
            for row in judge(measured, own, lost)
        ]
    write_rows(out, CostComparison, rows)
