"""rule report: the page of one experiment."""

from pathlib import Path

from fuselab.job import job
from fuselab.report.inputs import find
from fuselab.report.render import write_report

with job(snakemake) as step:
    inputs = find(Path("results"), Path(step.input.yaml), step.wildcards.experiment)
    write_report(inputs, Path(step.output.report))
