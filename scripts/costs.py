"""rule costs: what profiling itself costs, from blocks of their own."""

from fuselab.jobs.job import job
from fuselab.jobs.costs import write_costs
from fuselab.records.design import CostStep, Design

with job(snakemake) as step:
    write_costs(
        step.param("design", Design),
        step.param("steps", list[CostStep]),
        step.paths("blocks"),
        step.param("kinds", dict[str, str]),
        step.out(),
    )
