"""rule queries: SQL over the tables of one variant and workload, ready-made questions first."""

from pathlib import Path

import msgspec

from fuselab.jobs.job import job
from fuselab.experiment.model import Query
from fuselab.files import write_json
from fuselab.queries.catalogue import answers
from fuselab.queries.spans import READY

with job(snakemake) as step:
    home = Path("results") / step.wildcards.experiment
    ready = [Query(query.title, query.sql.strip()) for query in READY if step.params.has_spans]
    asked = [msgspec.convert(dict(question), Query) for question in step.params.questions]
    found = answers(home, step.wildcards.variant, step.wildcards.workload, [*ready, *asked])
    write_json(Path(step.output[0]), found)
