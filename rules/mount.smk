# The exact argument list and environment of every mount, as files: ready to read, and what the rig is given.


rule mount_config:
    output:
        "results/{experiment}/mounts/{variant}.{profilers}.json",
    log:
        "results/{experiment}/logs/mounts/{variant}.{profilers}.log",
    conda:
        "../envs/environment.yaml"
    params:
        config=lambda wc: lab.parameters(wc).mount(wc.variant, wc.profilers),
    message:
        "{wildcards.experiment}: write the mount of {wildcards.variant} for {wildcards.profilers}"
    script:
        "../scripts/mount_config.py"
