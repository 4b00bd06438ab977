# One job per build, one build at a time: cargo uses every core by itself, and builds of the same rustflags share
# a target folder. Builds with more features go first, so that the slow parts of the richest build overlap.


rule build:
    output:
        directory("results/builds/{target}/{build}"),
    log:
        "results/logs/builds/{target}/{build}.log",
    priority: lambda wc: 5000 + len(lab.build(f"{wc.target}/{wc.build}").spec.features)
    conda:
        "../envs/environment.yaml"
    threads: every_core
    resources:
        cargo=1,
    params:
        spec=lambda wc: Told(lab.build(f"{wc.target}/{wc.build}")),
    message:
        "build {wildcards.target}: {wildcards.build}"
    script:
        "../scripts/build.py"
