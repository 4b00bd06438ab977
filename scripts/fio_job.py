"""rule fio_job: the job file of one workload."""

from pathlib import Path

from fuselab.jobs.job import job
from fuselab.files import write_atomically

with job(snakemake) as step:
    write_atomically(Path(step.output[0]), step.params.job)
