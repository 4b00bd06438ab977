# fuselab: from experiments/*.yaml to results/report.html.
#
# `snakemake --cores 4 results/report.html` makes every report that config.yaml lists;
# `snakemake --cores 4 results/<experiment>/report.html` makes one. The rules are in rules/, what they call in
# scripts/, and what they mean in docs/design.md.


configfile: "config.yaml"


include: "rules/workflow.smk"


rule all:
    default_target: True
    input:
        "results/report.html",
