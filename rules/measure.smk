# What is timed. A measured job takes the machine for itself: every core, and the one rig. The spec in the path, not
# a file's time, says whether a measurement is still the one asked for: inputs are `ancient`, and each has a hash in
# its own path too, so that none is ever made again with other content. (Snakemake forgets that a missing output must
# be made when all that leads to it is ancient and changed; mounts and loads are therefore parameters, not inputs.)


rule verify:
    input:
        build=ancient(lambda wc: lab.files(wc).builds([wc.variant])),
    output:
        directory("results/{experiment}/verify/{variant}/{spec}"),
    log:
        "results/{experiment}/logs/verify/{variant}.{spec}.log",
    priority: 2000
    conda:
        "../envs/environment.yaml"
    threads: every_core
    resources:
        rig=1,
    params:
        run=lambda wc: Told(lab.parameters(wc).verify(wc.variant, wc.spec)),
    message:
        "{wildcards.experiment}: verify that {wildcards.variant} reads back what was written to it"
    script:
        "../scripts/verify.py"


rule time_block:
    input:
        builds=ancient(lambda wc: lab.files(wc).timed_builds(wc.workload)),
        verified=ancient(lambda wc: lab.files(wc).verified(workload=wc.workload)),
    output:
        directory("results/{experiment}/blocks/{workload}/{spec}/{number}"),
    log:
        "results/{experiment}/logs/blocks/{workload}.{spec}.{number}.log",
    priority: lambda wc: 1000 - int(wc.number)
    conda:
        "../envs/environment.yaml"
    threads: every_core
    resources:
        rig=1,
    params:
        run=lambda wc: Told(lab.parameters(wc).block(wc.workload, wc.number)),
    message:
        "{wildcards.experiment}: time block {wildcards.number} of {wildcards.workload}"
    script:
        "../scripts/time_block.py"


rule cost_block:
    input:
        builds=ancient(lambda wc: lab.files(wc).cost_builds),
        verified=ancient(lambda wc: lab.files(wc).verified(workload=wc.workload)),
    output:
        directory("results/{experiment}/costs/{workload}/{spec}/{number}"),
    log:
        "results/{experiment}/logs/costs/{workload}.{spec}.{number}.log",
    priority: lambda wc: 400 - min(99, int(wc.number))
    conda:
        "../envs/environment.yaml"
    threads: every_core
    resources:
        rig=1,
    params:
        run=lambda wc: Told(lab.parameters(wc).cost_block(wc.workload, wc.number)),
    message:
        "{wildcards.experiment}: time block {wildcards.number} of what profiling costs under {wildcards.workload}"
    script:
        "../scripts/time_block.py"


rule work_block:
    input:
        builds=ancient(lambda wc: lab.files(wc).timed_builds(wc.workload)),
        verified=ancient(lambda wc: lab.files(wc).verified(workload=wc.workload)),
    output:
        directory("results/{experiment}/work/{workload}/{spec}/{number}"),
    log:
        "results/{experiment}/logs/work/{workload}.{spec}.{number}.log",
    priority: lambda wc: 300 - min(99, int(wc.number))
    conda:
        "../envs/environment.yaml"
    threads: every_core
    resources:
        rig=1,
    params:
        run=lambda wc: Told(lab.parameters(wc).work_block(wc.workload, wc.number)),
    message:
        "{wildcards.experiment}: count the work of {wildcards.workload}, block {wildcards.number}"
    script:
        "../scripts/time_block.py"
