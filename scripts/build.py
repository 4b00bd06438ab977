"""rule build: one build of one target."""

from pathlib import Path

import msgspec

from fuselab.job import job
from fuselab.target.build import make_build
from fuselab.target.loading import load_target
from fuselab.target.spec import BuildSpec

with job(snakemake) as step:
    spec = msgspec.convert(step.params.spec.value, BuildSpec)
    make_build(spec, load_target(spec.target, Path.cwd()).build, Path(step.output[0]))
