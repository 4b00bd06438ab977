"""rule capture: one run made to profile, never to time."""

from pathlib import Path

import msgspec

from fuselab.jobs.job import job
from fuselab.measuring.attempts import CaptureTask
from fuselab.measuring.capture import capture
from fuselab.measuring.machine_lock import measuring

with job(snakemake) as step, measuring():
    capture(
        msgspec.convert(step.params.run.value, CaptureTask),
        [Path(path) for path in step.input.verified],
        Path(step.output[0]),
    )
