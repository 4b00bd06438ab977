# An experiment measured anew on one night after the other: `--config night=2026-11-28`. The night decides the seed,
# and so the specs of all that is measured on it. What is kept of a night is small. No rule makes what is kept already, or
# a night that is over: what would be measured then is another.


rule night:
    input:
        plan="results/{experiment}/plan.json",
        metrics="results/{experiment}/metrics.csv",
        comparisons="results/{experiment}/comparisons.csv",
        summary="results/{experiment}/summary.json",
        processed=lambda wc: lab.files(wc).processed,
    output:
        directory("results/{experiment}/history/{night}"),
    log:
        "results/{experiment}/logs/history/{night}.log",
    wildcard_constraints:
        experiment=lab.without_tonight,
        night=lab.night or "(?!)",
    conda:
        "../envs/environment.yaml"
    message:
        "{wildcards.experiment}: keep the night of {wildcards.night}"
    script:
        "../scripts/night.py"


rule history:
    input:
        nights=lambda wc: lab.nights(wc.experiment),
    output:
        page="results/{experiment}/history.html",
        csv="results/{experiment}/history.csv",
        differences=directory("results/{experiment}/history-diffs"),
    log:
        "results/{experiment}/logs/history.log",
    conda:
        "../envs/environment.yaml"
    params:
        code=lambda wc: lab.code("history"),
    message:
        "{wildcards.experiment}: write its history"
    script:
        "../scripts/history.py"
