# From blocks to metrics, from metrics to verdicts.


rule metrics:
    input:
        blocks=lambda wc: lab.blocks(wc.experiment),
        code=lambda wc: lab.sources("workloads", "analysis"),
    output:
        "results/{experiment}/metrics.csv",
    params:
        kinds=lambda wc: lab.kinds(wc.experiment),
    log:
        "results/{experiment}/logs/metrics.log",
    script:
        "../scripts/metrics.py"


rule compare:
    input:
        metrics="results/{experiment}/metrics.csv",
        blocks=lambda wc: lab.blocks(wc.experiment),
        verified=lambda wc: lab.verified(wc.experiment),
        code=lambda wc: lab.sources("compare"),
    output:
        "results/{experiment}/comparisons.csv",
    params:
        design=lambda wc: lab.design(wc.experiment),
    log:
        "results/{experiment}/logs/compare.log",
    script:
        "../scripts/compare.py"
