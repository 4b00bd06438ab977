"""rule process: raw files of one profiler's captures to stacks, tables and pictures."""

from pathlib import Path

from fuselab.jobs.job import job
from fuselab.jobs.process import process

with job(snakemake) as step:
    process(
        step.wildcards.profiler,
        [Path(path) for path in step.input.captures],
        step.params.kind,
        Path(step.params.binary),
        Path(step.output[0]),
    )
