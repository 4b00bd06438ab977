"""rule plan: the experiment as it was resolved."""

from pathlib import Path

from fuselab.files import write_json
from fuselab.job import job

with job(snakemake) as step:
    write_json(Path(step.output[0]), dict(step.params.plan))
