"""rule queries: SQL over the tables of one variant and workload, ready-made questions first."""

from pathlib import Path

import msgspec

from fuselab.jobs.job import job
from fuselab.files import write_json
from fuselab.queries.asking import Query
from fuselab.queries.catalogue import answers
from fuselab.queries.spans import READY

with job(snakemake) as step:
    home = Path("results") / step.wildcards.experiment
    ready = READY if step.params.has_spans else ()
    asked = [msgspec.convert(dict(question), Query) for question in step.params.questions]
    found = answers(home, step.wildcards.variant, step.wildcards.workload, [*ready, *asked])
    write_json(Path(step.output[0]), found)
