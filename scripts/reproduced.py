"""rule reproduced: which verdicts of a bundle from elsewhere held here."""

from pathlib import Path

from fuselab.jobs.job import job
from fuselab.errors import JobError
from fuselab.report.inputs import given
from fuselab.report.reproduction.reproduced import write_reproduced

with job(snakemake) as step:
    inputs = given(step.snakemake.input, step.file("yaml"))
    try:
        write_reproduced(step.file("bundle"), inputs, Path(), step.out())
    except ValueError as error:
        raise JobError(str(error)) from None
