"""rule queries: SQL over the tables of one variant and workload, ready-made questions first."""

from fuselab.jobs.job import job
from fuselab.files import write_json
from fuselab.queries.asking import answers
from fuselab.queries.query import Query
from fuselab.queries.spans import READY
from fuselab.records.places import Results

with job(snakemake) as step:
    home = Results().experiment(step.wildcard("experiment")).folder
    queries = [*(READY if step.param("has_spans", bool) else ()), *step.param("questions", list[Query])]
    given = {*step.paths("processed"), *step.paths("tables")}
    write_json(step.out(), answers(home, step.wildcard("variant"), step.wildcard("workload"), queries, given))
