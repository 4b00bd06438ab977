"""rule time_block: every variant once, next to each other in time, in the block's own order."""

from pathlib import Path

import msgspec

from fuselab.job import job
from fuselab.attempts import BlockTask
from fuselab.blocks import time_block
from fuselab.machine import measuring

with job(snakemake) as step, measuring():
    time_block(
        msgspec.convert(step.params.run.value, BlockTask),
        [Path(path) for path in step.input.verified],
        Path(step.output[0]),
    )
