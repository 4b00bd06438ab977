# The fio job file of a workload, as fio reads it: paste it behind `fio` to run the load by hand.


rule fio_job:
    output:
        "results/{experiment}/loads/{workload}.fio",
    log:
        "results/{experiment}/logs/loads/{workload}.log",
    conda:
        "../envs/environment.yaml"
    params:
        job=lambda wc: lab.plan(wc.experiment).jobs[wc.workload],
    message:
        "{wildcards.experiment}: write the fio job of {wildcards.workload}"
    script:
        "../scripts/fio_job.py"
