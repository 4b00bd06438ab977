"""rule overview: the front page of all reports."""

from fuselab.jobs.job import job
from fuselab.records.places import Results
from fuselab.report.overview import write_overview

with job(snakemake) as step:
    write_overview(
        Results().folder,
        step.param("listed", list[str]),
        step.param("broken", dict[str, str]),
        step.out(),
        by_hand=list(step.param("by_hand", dict[str, str])),
    )
