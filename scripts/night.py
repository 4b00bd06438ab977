"""rule night: keep what is small of an experiment as it was measured tonight."""

from pathlib import Path

from fuselab.jobs.job import job
from fuselab.history.nights import keep

with job(snakemake) as step:
    keep(Path("results") / step.wildcards.experiment, Path(step.output[0]))
