# What is profiled: one mount, one load, one set of profilers. Raw files are never touched again.


rule capture:
    input:
        build=ancient(lambda wc: lab.files(wc).builds([wc.variant], wc.profilers, wc.workload)),
        verified=ancient(lambda wc: lab.files(wc).verified(wc.variant, wc.workload)),
    output:
        directory("results/{experiment}/captures/{variant}/{workload}/{profilers}/{spec}/{number}"),
    log:
        "results/{experiment}/logs/captures/{variant}.{workload}.{profilers}.{spec}.{number}.log",
    priority: 500
    conda:
        "../envs/environment.yaml"
    threads: every_core
    resources:
        rig=1,
    params:
        run=lambda wc: Told(lab.parameters(wc).capture(wc.variant, wc.workload, wc.profilers)),
    message:
        "{wildcards.experiment}: capture {wildcards.profilers} of {wildcards.variant} under {wildcards.workload} ({wildcards.number})"
    script:
        "../scripts/capture.py"
