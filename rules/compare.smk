# From blocks to metrics, from metrics to verdicts.


rule metrics:
    input:
        blocks=lambda wc: lab.files(wc).blocks(checkpoints),
        work=lambda wc: lab.files(wc).work_blocks,
        holders=lambda wc: holders(lab.files(wc).blocks(checkpoints) + lab.files(wc).work_blocks),
    output:
        report(
            "results/{experiment}/metrics.csv",
            category="{experiment}",
            labels={"what": "metrics"},
            caption="captions/metrics.rst",
        ),
    log:
        "results/{experiment}/logs/metrics.log",
    conda:
        "../envs/environment.yaml"
    params:
        code=lambda wc: lab.code("metrics"),
        kinds=lambda wc: lab.parameters(wc).kinds,
    message:
        "{wildcards.experiment}: read the metrics of all blocks"
    script:
        "../scripts/metrics.py"


rule compare:
    input:
        metrics="results/{experiment}/metrics.csv",
        blocks=lambda wc: lab.files(wc).blocks(checkpoints),
        verified=lambda wc: lab.files(wc).verified(),
        holders=lambda wc: holders(lab.files(wc).verified()),
    output:
        report(
            "results/{experiment}/comparisons.csv",
            category="{experiment}",
            labels={"what": "comparisons"},
            caption="captions/comparisons.rst",
        ),
    log:
        "results/{experiment}/logs/compare.log",
    conda:
        "../envs/environment.yaml"
    params:
        code=lambda wc: lab.code("compare"),
        design=lambda wc: lab.parameters(wc).design,
        verifying=lambda wc: lab.parameters(wc).verifying,
    message:
        "{wildcards.experiment}: judge every contrast"
    script:
        "../scripts/compare.py"


checkpoint look:
    # `blocks: auto` only: whether a workload needs more blocks, after 12 and after 20 of them. What holds the blocks is no
    # input: later blocks make it newer. A block that is missing is missed by the metrics, and made anew before a look.
    input:
        blocks=lambda wc: lab.files(wc).first_blocks(wc.workload, wc.number),
    output:
        "results/{experiment}/looks/{workload}/{spec}/{number}.json",
    log:
        "results/{experiment}/logs/looks/{workload}.{spec}.{number}.log",
    conda:
        "../envs/environment.yaml"
    params:
        code=lambda wc: lab.code("look"),
        kinds=lambda wc: lab.parameters(wc).kinds,
        design=lambda wc: lab.parameters(wc).design,
    message:
        "{wildcards.experiment}: look at {wildcards.workload} after block {wildcards.number}"
    script:
        "../scripts/look.py"


rule costs:
    input:
        blocks=lambda wc: lab.files(wc).cost_blocks,
        holders=lambda wc: holders(lab.files(wc).cost_blocks),
    output:
        "results/{experiment}/costs.csv",
    log:
        "results/{experiment}/logs/costs.log",
    conda:
        "../envs/environment.yaml"
    params:
        code=lambda wc: lab.code("costs"),
        kinds=lambda wc: lab.parameters(wc).kinds,
        design=lambda wc: lab.parameters(wc).design,
        steps=lambda wc: lab.parameters(wc).cost_steps,
    message:
        "{wildcards.experiment}: judge what profiling costs"
    script:
        "../scripts/costs.py"
