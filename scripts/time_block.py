"""rule time_block: every variant once, next to each other in time, in the block's own order."""

from pathlib import Path

import msgspec

from fuselab.jobs.job import job
from fuselab.measuring.attempts import BlockTask
from fuselab.measuring.blocks import time_block
from fuselab.measuring.machine_lock import measuring

with job(snakemake) as step, measuring():
    time_block(
        msgspec.convert(step.params.run.value, BlockTask),
        [Path(path) for path in step.input.verified],
        Path(step.output[0]),
    )
