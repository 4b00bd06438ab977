"""rule metrics: one row per timed run and metric."""

from pathlib import Path

from fuselab.analysis.tables import write_metrics
from fuselab.job import job

with job(snakemake) as step:
    write_metrics([Path(path) for path in step.input.blocks], dict(step.params.kinds), Path(step.output[0]))
