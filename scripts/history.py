"""rule history: the page of all nights of an experiment."""

from pathlib import Path

from fuselab.history.nights import read_nights
from fuselab.history.page import write_history
from fuselab.job import JobError, job

with job(snakemake) as step:
    try:
        nights = read_nights(Path("results") / step.wildcards.experiment / "history")
    except ValueError as error:
        raise JobError(str(error)) from None
    write_history(nights, Path(step.output.page), Path(step.output.csv))
