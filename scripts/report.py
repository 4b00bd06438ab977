"""rule report: the page of one experiment, and the summaries of the same figures."""

from fuselab.jobs.job import job
from fuselab.report.inputs import given
from fuselab.report.page.render import write_report
from fuselab.report.summary import write_summary

with job(snakemake) as step:
    inputs = given(step.snakemake.input, step.file("yaml"))
    write_report(inputs, step.out("report"))
    write_summary(inputs, step.out("markdown"), step.out("json"))
