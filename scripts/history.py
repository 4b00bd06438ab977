"""rule history: the page of all nights of an experiment."""

from pathlib import Path

from fuselab.jobs.job import job
from fuselab.errors import JobError
from fuselab.history.nights import read_nights
from fuselab.history.page import write_history

with job(snakemake) as step:
    nights, faults = read_nights(Path("results") / step.wildcards.experiment / "history")
    if not nights:
        raise JobError("\n".join(faults))
    write_history(nights, faults, Path(step.output.page), Path(step.output.csv))
