"""rule night: keep what is small of an experiment as it was measured tonight."""

from fuselab.jobs.job import job
from fuselab.history.nights import keep
from fuselab.history.profiles import keep_profiles
from fuselab.records.places import Home, home_of

with job(snakemake) as step:
    keep_profiles(step.paths("processed"), home_of(step.out()), Home(step.out()))
    keep([step.path(name) for name in ("plan", "metrics", "comparisons", "summary")], step.out())
