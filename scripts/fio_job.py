"""rule fio_job: the job file of one workload."""

from fuselab.jobs.job import job
from fuselab.files import write_atomically

with job(snakemake) as step:
    write_atomically(step.out(), step.param("job", str))
