"""rule build: one build of one target."""

from fuselab.jobs.job import job
from fuselab.building.build import make_build
from fuselab.records.places import Results
from fuselab.workflow.parameters import Building

with job(snakemake) as step:
    told = step.param("spec", Building)
    make_build(told.spec, told.build, step.out(), [Results().build(folder) for folder in told.others])
