"""rule blindspots: where the time of one variant and workload is, and which profiler cannot see it."""

from fuselab.jobs.job import job
from fuselab.jobs.account import write_account

with job(snakemake) as step:
    write_account(
        step.paths("processed"), step.paths("traces")[0], step.param("kind", str), step.out("table").parent
    )
