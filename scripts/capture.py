"""rule capture: one run made to profile, never to time."""

from pathlib import Path

import msgspec

from fuselab.job import job
from fuselab.attempts import CaptureTask
from fuselab.machine import measuring
from fuselab.measure import capture

with job(snakemake) as step, measuring():
    capture(
        msgspec.convert(step.params.run.value, CaptureTask),
        [Path(path) for path in step.input.verified],
        Path(step.output[0]),
    )
