"""rule compare: verdicts from the metrics of all timed runs."""

from pathlib import Path

import msgspec

from fuselab.jobs.job import job
from fuselab.jobs.compare import write_comparisons
from fuselab.records.design import Design

with job(snakemake) as step:
    write_comparisons(
        msgspec.convert(dict(step.params.design), Design),
        Path(step.input.metrics),
        [Path(path) for path in step.input.blocks],
        [Path(path) for path in step.input.verified],
        Path(step.output[0]),
    )
