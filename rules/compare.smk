# From blocks to metrics, from metrics to verdicts.


rule metrics:
    input:
        blocks=lambda wc: lab.blocks(wc.experiment),
    output:
        "results/{experiment}/metrics.csv",
    log:
        "results/{experiment}/logs/metrics.log",
    conda:
        "../envs/environment.yaml"
    params:
        code=lambda wc: lab.code("workloads", "analysis"),
        kinds=lambda wc: lab.kinds(wc.experiment),
    message:
        "{wildcards.experiment}: read the metrics of all blocks"
    script:
        "../scripts/metrics.py"


rule compare:
    input:
        metrics="results/{experiment}/metrics.csv",
        blocks=lambda wc: lab.blocks(wc.experiment),
        verified=lambda wc: lab.verified(wc.experiment),
    output:
        "results/{experiment}/comparisons.csv",
    log:
        "results/{experiment}/logs/compare.log",
    conda:
        "../envs/environment.yaml"
    params:
        code=lambda wc: lab.code("compare"),
        design=lambda wc: lab.design(wc.experiment),
    message:
        "{wildcards.experiment}: judge every contrast"
    script:
        "../scripts/compare.py"
