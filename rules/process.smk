# From raw files to stacks, tables and pictures; any of it can be deleted and made again without measuring.
# `code` makes it again when the code that makes it has changed.


rule process:
    input:
        captures=lambda wc: lab.capture_folders(wc.experiment, wc.variant, wc.workload, wc.profiler),
        builds=ancient(lambda wc: lab.profiled_builds(wc.experiment, wc.variant, wc.workload, wc.profiler)),
        code=lambda wc: lab.sources("profilers", "analysis"),
    output:
        directory("results/{experiment}/processed/{variant}/{workload}/{profiler}"),
    params:
        binary=lambda wc: lab.profiled_binary(wc.experiment, wc.variant, wc.workload, wc.profiler),
        kind=lambda wc: lab.plan(wc.experiment).loads[wc.workload].kind,
    log:
        "results/{experiment}/logs/process/{variant}.{workload}.{profiler}.log",
    script:
        "../scripts/process.py"


rule diff:
    input:
        baseline="results/{experiment}/processed/{baseline}/{workload}/{profiler}",
        variant="results/{experiment}/processed/{variant}/{workload}/{profiler}",
        code=lambda wc: lab.sources("analysis"),
    output:
        directory("results/{experiment}/diffs/{variant}-vs-{baseline}/{workload}/{profiler}"),
    log:
        "results/{experiment}/logs/diffs/{variant}-vs-{baseline}.{workload}.{profiler}.log",
    script:
        "../scripts/diff.py"
