"""checkpoint look: whether a workload of a `blocks: auto` experiment needs more blocks."""

from pathlib import Path

import msgspec

from fuselab.jobs.job import job
from fuselab.jobs.look import take_look
from fuselab.records.design import Design

with job(snakemake) as step:
    take_look(
        msgspec.convert(dict(step.params.design), Design),
        step.wildcards.workload,
        [Path(path) for path in step.input.blocks],
        dict(step.params.kinds),
        Path(step.output[0]),
    )
