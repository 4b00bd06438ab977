"""rule compare: verdicts from the metrics of all timed runs."""

from fuselab.jobs.job import job
from fuselab.jobs.compare import write_comparisons
from fuselab.records.design import Design
from fuselab.records.plan import Verifying

with job(snakemake) as step:
    write_comparisons(
        step.param("design", Design),
        step.path("metrics"),
        step.paths("blocks"),
        step.paths("verified"),
        step.param("verifying", tuple[Verifying, ...]),
        step.out(),
    )
