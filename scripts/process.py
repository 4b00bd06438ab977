"""rule process: raw files of one profiler's captures to stacks, tables and pictures."""

from pathlib import Path

from fuselab.jobs.job import job
from fuselab.jobs.process import process

with job(snakemake) as step:
    process(
        step.wildcard("profiler"),
        step.paths("captures"),
        step.param("kind", str),
        Path(step.param("binary", str)),
        step.out(),
    )
