# From raw files to stacks, tables and pictures; any of it can be deleted and made again without measuring.
# `code` is a hash of what makes it: a change there makes it again.


rule process:
    input:
        captures=lambda wc: lab.files(wc).captures(wc.variant, wc.workload, wc.profiler),
        holders=lambda wc: holders(lab.files(wc).captures(wc.variant, wc.workload, wc.profiler)),
        builds=ancient(lambda wc: lab.files(wc).profiled_builds(wc.variant, wc.workload, wc.profiler)),
    output:
        directory("results/{experiment}/processed/{variant}/{workload}/{profiler}"),
    log:
        "results/{experiment}/logs/process/{variant}.{workload}.{profiler}.log",
    conda:
        "../envs/environment.yaml"
    params:
        code=lambda wc: lab.code("process"),
        binary=lambda wc: lab.files(wc).profiled_binary(wc.variant, wc.workload, wc.profiler),
        kind=lambda wc: lab.parameters(wc).kind(wc.workload),
    message:
        "{wildcards.experiment}: process {wildcards.profiler} of {wildcards.variant} under {wildcards.workload}"
    script:
        "../scripts/process.py"


rule diff:
    input:
        baseline="results/{experiment}/processed/{baseline}/{workload}/{profiler}",
        variant="results/{experiment}/processed/{variant}/{workload}/{profiler}",
    output:
        directory("results/{experiment}/diffs/{variant}-vs-{baseline}/{workload}/{profiler}"),
    log:
        "results/{experiment}/logs/diffs/{variant}-vs-{baseline}.{workload}.{profiler}.log",
    conda:
        "../envs/environment.yaml"
    params:
        code=lambda wc: lab.code("diff"),
    message:
        "{wildcards.experiment}: difference of {wildcards.variant} against {wildcards.baseline}: {wildcards.profiler} under {wildcards.workload}"
    script:
        "../scripts/diff.py"


rule queries:
    input:
        processed=lambda wc: lab.files(wc).processed_cell(wc.variant, wc.workload),
        tables=lambda wc: lab.files(wc).queried_tables,
    output:
        "results/{experiment}/processed/{variant}/{workload}/queries.json",
    log:
        "results/{experiment}/logs/queries/{variant}.{workload}.log",
    conda:
        "../envs/environment.yaml"
    params:
        code=lambda wc: lab.code("queries"),
        questions=lambda wc: lab.parameters(wc).questions,
        has_spans=lambda wc: lab.requested(wc).has_spans(wc.variant, wc.workload),
    message:
        "{wildcards.experiment}: ask SQL of {wildcards.variant} under {wildcards.workload}"
    script:
        "../scripts/queries.py"


rule blindspots:
    input:
        traces=lab.traces,
        processed=lambda wc: lab.files(wc).processed_cell(wc.variant, wc.workload),
    output:
        table="results/{experiment}/processed/{variant}/{workload}/blindspots.parquet",
        words="results/{experiment}/processed/{variant}/{workload}/blindspots.json",
    log:
        "results/{experiment}/logs/blindspots/{variant}.{workload}.log",
    conda:
        "../envs/environment.yaml"
    params:
        code=lambda wc: lab.code("blindspots"),
        kind=lambda wc: lab.parameters(wc).kind(wc.workload),
    message:
        "{wildcards.experiment}: where the time of {wildcards.variant} under {wildcards.workload} is"
    script:
        "../scripts/blindspots.py"
