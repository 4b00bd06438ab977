# What people read.


rule plan:
    output:
        "results/{experiment}/plan.json",
    log:
        "results/{experiment}/logs/plan.log",
    conda:
        "../envs/environment.yaml"
    params:
        plan=lambda wc: lab.plan_data(wc.experiment),
    message:
        "{wildcards.experiment}: write down the plan"
    script:
        "../scripts/plan.py"


rule report:
    input:
        plan="results/{experiment}/plan.json",
        yaml="experiments/{experiment}.yaml",
        metrics="results/{experiment}/metrics.csv",
        comparisons="results/{experiment}/comparisons.csv",
        blocks=lambda wc: lab.blocks(wc.experiment, checkpoints),
        verified=lambda wc: lab.verified(wc.experiment),
        processed=lambda wc: lab.processed(wc.experiment),
        diffs=lambda wc: lab.diffs(wc.experiment),
        builds=ancient(lambda wc: lab.all_builds(wc.experiment)),
        mounts=lambda wc: lab.mounts(wc.experiment),
        loads=lambda wc: lab.jobs(wc.experiment),
        queries=lambda wc: lab.queries(wc.experiment),
        costs=lambda wc: lab.costs(wc.experiment),
    output:
        report="results/{experiment}/report.html",
    log:
        "results/{experiment}/logs/report.log",
    conda:
        "../envs/environment.yaml"
    params:
        code=lambda wc: lab.code("report"),
    message:
        "{wildcards.experiment}: write the report"
    script:
        "../scripts/report.py"


rule overview:
    input:
        reports=lambda wc: lab.reports(),
    output:
        "results/report.html",
    log:
        "results/logs/overview.log",
    conda:
        "../envs/environment.yaml"
    params:
        code=lambda wc: lab.code("report"),
        listed=lambda wc: [Path(report).parent.name for report in lab.reports()],
        by_hand=lambda wc: lab.by_hand(),
        broken=lambda wc: lab.broken(),
    message:
        "write the overview of all reports"
    script:
        "../scripts/overview.py"
