"""checkpoint look: whether a workload of a `blocks: auto` experiment needs more blocks."""

from fuselab.jobs.job import job
from fuselab.jobs.look import take_look
from fuselab.records.design import Design

with job(snakemake) as step:
    take_look(
        step.param("design", Design),
        step.wildcard("workload"),
        step.paths("blocks"),
        step.param("kinds", dict[str, str]),
        step.out(),
    )
