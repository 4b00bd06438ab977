"""rule metrics: one row per run and metric, of what is timed and what is counted."""

from fuselab.jobs.job import job
from fuselab.jobs.metrics import write_metrics

with job(snakemake) as step:
    write_metrics(
        [*step.paths("blocks"), *step.paths("work")], step.param("kinds", dict[str, str]), step.out()
    )
