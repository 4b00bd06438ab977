"""rule bundle: the experiment for a paper, in one file."""

from pathlib import Path

from fuselab.job import JobError, job
from fuselab.report.bundle import write_bundle
from fuselab.report.inputs import find

with job(snakemake) as step:
    inputs = find(Path("results"), Path(step.input.yaml), step.wildcards.experiment)
    try:
        write_bundle(inputs, Path(), Path(step.output[0]))
    except (FileNotFoundError, RuntimeError) as error:  # a program is missing, or cannot draw
        raise JobError(str(error)) from None
