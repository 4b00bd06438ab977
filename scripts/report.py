"""rule report: the page of one experiment, and the summaries of the same figures."""

from pathlib import Path

from fuselab.jobs.job import job
from fuselab.report.inputs import given
from fuselab.report.page.render import write_report
from fuselab.report.summary import write_summary

with job(snakemake) as step:
    inputs = given(step.input)
    write_report(inputs, Path(step.output.report))
    write_summary(inputs, Path(step.output.markdown), Path(step.output.json))
