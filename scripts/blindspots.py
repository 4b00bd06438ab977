"""rule blindspots: where the time of one variant and workload is, and which profiler cannot see it."""

from pathlib import Path

from fuselab.jobs.job import job
from fuselab.jobs.account import write_account

with job(snakemake) as step:
    write_account(Path(step.output.table).parent, Path(step.input.traces[0]), step.params.kind)
