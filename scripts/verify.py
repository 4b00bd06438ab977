"""rule verify: one variant writes data with checksums, is mounted again, and reads it back."""

from pathlib import Path

import msgspec

from fuselab.job import job
from fuselab.attempts import VerifyTask
from fuselab.machine import measuring
from fuselab.measure import verify

with job(snakemake) as step, measuring():
    verify(msgspec.convert(step.params.run.value, VerifyTask), Path(step.output[0]))
