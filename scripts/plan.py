"""rule plan: the experiment as it was resolved."""

from fuselab.jobs.job import job
from fuselab.files import write_json

with job(snakemake) as step:
    write_json(step.out(), step.param("plan", dict))
