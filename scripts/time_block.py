"""rule time_block: every variant once, next to each other in time, in the block's own order."""

from fuselab.jobs.job import job
from fuselab.measuring.attempts import BlockTask
from fuselab.measuring.blocks import time_block
from fuselab.measuring.machine_lock import measuring

with job(snakemake) as step, measuring():
    time_block(step.param("run", BlockTask), step.paths("verified"), step.out())
