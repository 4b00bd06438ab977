"""rule costs: what profiling itself costs, from blocks of their own."""

from pathlib import Path

import msgspec

from fuselab.jobs.job import job
from fuselab.experiment.plan import CostStep
from fuselab.jobs.costs import write_costs
from fuselab.records.design import Design

with job(snakemake) as step:
    write_costs(
        msgspec.convert(dict(step.params.design), Design),
        [msgspec.convert(dict(one), CostStep) for one in step.params.steps],
        [Path(path) for path in step.input.blocks],
        dict(step.params.kinds),
        Path(step.output[0]),
    )
