"""rule verify: one variant writes data with checksums, is mounted again, and reads it back."""

from fuselab.jobs.job import job
from fuselab.measuring.attempts import VerifyTask
from fuselab.measuring.machine_lock import measuring
from fuselab.measuring.verify import verify

with job(snakemake) as step, measuring():
    verify(step.param("run", VerifyTask), step.out())
