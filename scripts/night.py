"""rule night: keep what is small of an experiment as it was measured tonight."""

from fuselab.jobs.job import job
from fuselab.history.keeping import keep
from fuselab.records.places import home_of

with job(snakemake) as step:
    files = [step.path(name) for name in ("plan", "metrics", "comparisons", "summary")]
    keep(files, step.paths("processed"), home_of(step.out()), step.wildcard("night"))
