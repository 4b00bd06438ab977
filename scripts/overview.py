"""rule overview: the front page of all reports."""

from pathlib import Path

from fuselab.job import job
from fuselab.report.overview import write_overview

with job(snakemake) as step:
    write_overview(
        Path("results"),
        [*step.params.listed, *step.params.by_hand],
        dict(step.params.broken),
        Path(step.output[0]),
    )
