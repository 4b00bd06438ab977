"""rule metrics: one row per timed run and metric."""

from pathlib import Path

from fuselab.jobs.job import job
from fuselab.jobs.metrics import write_metrics

with job(snakemake) as step:
    write_metrics([Path(path) for path in step.input.blocks], dict(step.params.kinds), Path(step.output[0]))
