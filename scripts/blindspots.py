"""rule blindspots: where the time of one variant and workload is, and which profiler cannot see it."""

from fuselab.jobs.job import job
from fuselab.jobs.account import write_account

with job(snakemake) as step:
    traces = step.paths("traces")
    write_account(
        step.paths("processed"),
        traces[0] if traces else None,
        step.param("kind", str),
        step.out("table").parent,
    )
