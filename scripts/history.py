"""rule history: the page of all nights of an experiment."""

from fuselab.jobs.job import job
from fuselab.errors import JobError
from fuselab.history.nights import read_nights
from fuselab.history.page import write_history

with job(snakemake) as step:
    nights, faults = read_nights(step.paths("nights"))
    if not nights:
        raise JobError("\n".join(faults))
    step.out("differences").mkdir()
    write_history(nights, faults, step.out("page"), step.out("csv"))
