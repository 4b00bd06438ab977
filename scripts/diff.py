"""rule diff: what moved between two processed sides."""

from fuselab.jobs.job import job
from fuselab.profilers.difference import diff

with job(snakemake) as step:
    diff(step.path("baseline"), step.path("variant"), step.out())
