"""rule diff: what moved between two processed sides."""

from pathlib import Path

from fuselab.jobs.job import job
from fuselab.profilers.difference import diff

with job(snakemake) as step:
    diff(Path(step.input.baseline), Path(step.input.variant), Path(step.output[0]))
