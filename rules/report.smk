# What people read.


rule plan:
    output:
        "results/{experiment}/plan.json",
    log:
        "results/{experiment}/logs/plan.log",
    conda:
        "../envs/environment.yaml"
    params:
        plan=lambda wc: lab.parameters(wc).description,
    message:
        "{wildcards.experiment}: write down the plan"
    script:
        "../scripts/plan.py"


# All that the page of an experiment is made of, for every rule that reads it. Files of the user's, its YAML above all,
# are parameters, by what they say: a job is failed for an input of a later date, and theirs may be of any clock.
PAGE = dict(
    plan="results/{experiment}/plan.json",
    metrics="results/{experiment}/metrics.csv",
    comparisons="results/{experiment}/comparisons.csv",
    blocks=lambda wc: lab.files(wc).blocks(checkpoints),
    work=lambda wc: lab.files(wc).work_blocks,
    verified=lambda wc: lab.files(wc).verified(),
    processed=lambda wc: lab.files(wc).processed,
    diffs=lambda wc: lab.files(wc).diffs,
    builds=ancient(lambda wc: lab.files(wc).all_builds),
    mounts=lambda wc: lab.files(wc).mounts,
    loads=lambda wc: lab.files(wc).jobs,
    blindspots=lambda wc: lab.files(wc).blindspots,
    queries=lambda wc: lab.files(wc).queries,
    costs=lambda wc: lab.files(wc).costs,
)


rule report:
    input:
        **PAGE,
    output:
        report=report(
            "results/{experiment}/report.html",
            category="{experiment}",
            labels={"what": "report"},
            caption="captions/report.rst",
        ),
        markdown="results/{experiment}/summary.md",
        json="results/{experiment}/summary.json",
    log:
        "results/{experiment}/logs/report.log",
    conda:
        "../envs/environment.yaml"
    params:
        yaml=lambda wc: lab.yaml(wc),
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
        code=lambda wc: lab.code("overview"),
        listed=lambda wc: [Path(report).parent.name for report in lab.reports()],
        by_hand=lambda wc: lab.by_hand(),
        broken=lambda wc: lab.broken(),
    message:
        "write the overview of all reports"
    script:
        "../scripts/overview.py"


rule bundle:
    # Everything that a paper or a reader elsewhere needs, in one file.
    input:
        **PAGE,
        report="results/{experiment}/report.html",
    output:
        "results/{experiment}/bundle.zip",
    log:
        "results/{experiment}/logs/bundle.log",
    conda:
        "../envs/environment.yaml"
    params:
        yaml=lambda wc: lab.yaml(wc),
        code=lambda wc: lab.code("bundle"),
        diffs=config.get("diffs", "safe"),
    message:
        "{wildcards.experiment}: pack the bundle"
    script:
        "../scripts/bundle.py"


rule reproduced:
    # Which verdicts of a bundle from elsewhere hold here: `--config bundle=FILE`.
    input:
        **PAGE,
        report="results/{experiment}/report.html",
    output:
        "results/{experiment}/reproduced.html",
    log:
        "results/{experiment}/logs/reproduced.log",
    conda:
        "../envs/environment.yaml"
    params:
        yaml=lambda wc: lab.yaml(wc),
        bundle=lambda wc: lab.bundle(wc.experiment, config.get("bundle")),
        code=lambda wc: lab.code("reproduced"),
    message:
        "{wildcards.experiment}: say which verdicts of {params.bundle[path]} held"
    script:
        "../scripts/reproduced.py"
