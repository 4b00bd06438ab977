"""rule mount_config: one mount, ready to read."""

from fuselab.jobs.job import job
from fuselab.files import write_json

with job(snakemake) as step:
    write_json(step.out(), step.param("config", dict))
