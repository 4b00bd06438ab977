"""rule night: keep what is small of an experiment as it was measured tonight."""

from fuselab.jobs.job import job
from fuselab.history.nights import keep

with job(snakemake) as step:
    keep([step.path(name) for name in ("plan", "metrics", "comparisons", "summary")], step.out())
