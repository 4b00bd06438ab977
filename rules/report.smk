# What people read.


rule plan:
    output:
        "results/{experiment}/plan.json",
    params:
        plan=lambda wc: lab.plan_data(wc.experiment),
    log:
        "results/{experiment}/logs/plan.log",
    script:
        "../scripts/plan.py"


rule report:
    input:
        plan="results/{experiment}/plan.json",
        yaml="experiments/{experiment}.yaml",
        metrics="results/{experiment}/metrics.csv",
        comparisons="results/{experiment}/comparisons.csv",
        blocks=lambda wc: lab.blocks(wc.experiment),
        verified=lambda wc: lab.verified(wc.experiment),
        processed=lambda wc: lab.processed(wc.experiment),
        diffs=lambda wc: lab.diffs(wc.experiment),
        builds=ancient(lambda wc: lab.all_builds(wc.experiment)),
        code=lambda wc: lab.sources("report"),
    output:
        report="results/{experiment}/report.html",
    log:
        "results/{experiment}/logs/report.log",
    script:
        "../scripts/report.py"


rule overview:
    input:
        reports=lambda wc: lab.reports(),
        code=lambda wc: lab.sources("report"),
    output:
        "results/report.html",
    params:
        listed=lambda wc: [Path(report).parent.name for report in lab.reports()],
        by_hand=lambda wc: lab.by_hand(),
        broken=lambda wc: lab.broken(),
    log:
        "results/logs/overview.log",
    script:
        "../scripts/overview.py"
