"""rule metrics: one row per timed run and metric."""

from fuselab.jobs.job import job
from fuselab.jobs.metrics import write_metrics

with job(snakemake) as step:
    write_metrics(step.paths("blocks"), step.param("kinds", dict[str, str]), step.out())
