"""rule plan: the experiment as it was resolved."""

from pathlib import Path

from fuselab.jobs.job import job
from fuselab.files import write_json

with job(snakemake) as step:
    write_json(Path(step.output[0]), dict(step.params.plan))
