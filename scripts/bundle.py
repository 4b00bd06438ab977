"""rule bundle: the experiment for a paper, in one file."""

from pathlib import Path

from fuselab.job import job
from fuselab.report.bundle import write_bundle
from fuselab.report.inputs import find

with job(snakemake) as step:
    inputs = find(Path("results"), Path(step.input.yaml), step.wildcards.experiment)
    write_bundle(inputs, [Path("envs")], Path(step.output[0]))
