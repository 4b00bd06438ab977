"""rule overview: the front page of all reports."""

from pathlib import Path

from fuselab.jobs.job import job
from fuselab.report.overview import write_overview

with job(snakemake) as step:
    write_overview(
        Path("results"),
        list(step.params.listed),
        dict(step.params.broken),
        Path(step.output[0]),
        by_hand=list(step.params.by_hand),
    )
