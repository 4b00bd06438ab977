"""rule bundle: the experiment for a paper, in one file."""

from pathlib import Path

from fuselab.jobs.job import job
from fuselab.errors import JobError
from fuselab.report.inputs import given
from fuselab.report.paper.bundle import write_bundle
from fuselab.report.paper.uncommitted import CHOICES, uncommitted
from fuselab.screen import on_screen

with job(snakemake) as step:
    diffs = step.param("diffs", str)
    if diffs not in CHOICES:
        raise JobError(f"--config diffs={diffs}: there are {', '.join(CHOICES)}")
    inputs = given(step.snakemake.input, step.file("yaml"))
    for changes in filter(None, map(uncommitted, inputs.builds)):
        on_screen(changes.said(diffs))
    try:
        write_bundle(inputs, Path(), step.out(), diffs)
    except (FileNotFoundError, RuntimeError) as error:  # a program is missing, or cannot draw
        raise JobError(str(error)) from None
