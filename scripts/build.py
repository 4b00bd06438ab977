"""rule build: one build of one target."""

from pathlib import Path

from fuselab.jobs.job import job
from fuselab.building.build import make_build

with job(snakemake) as step:
    told = step.params.spec.value
    others = [Path("results/builds", folder) for folder in told.others]
    make_build(told.spec, told.build, Path(step.output[0]), others)
