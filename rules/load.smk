# The fio job file of a workload, as fio reads it: paste it behind `fio` to run the load by hand.


rule fio_job:
    output:
        "results/{experiment}/loads/{load}.fio",
    log:
        "results/{experiment}/logs/loads/{load}.log",
    conda:
        "../envs/environment.yaml"
    params:
        job=lambda wc: lab.requested(wc).jobs[wc.load],
    message:
        "{wildcards.experiment}: write the fio job of {wildcards.load}"
    script:
        "../scripts/fio_job.py"
