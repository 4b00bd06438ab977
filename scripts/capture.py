"""rule capture: one run made to profile, never to time."""

from fuselab.jobs.job import job
from fuselab.measuring.attempts import CaptureTask
from fuselab.measuring.capture import capture
from fuselab.measuring.machine_lock import measuring

with job(snakemake) as step, measuring():
    capture(step.param("run", CaptureTask), step.paths("verified"), step.out())
