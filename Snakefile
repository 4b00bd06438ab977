# fuselab: from experiments/*.yaml to results/report.html.
#
# `snakemake --cores 4 results/report.html` makes every report that config.yaml lists;
# `snakemake --cores 4 results/<experiment>/report.html` makes one. The rules are in rules/, what they call in
# scripts/, and what they mean in docs/design.md.
from contextlib import suppress
from pathlib import Path

# An empty folder in the temporary one, which Snakemake has made before it reads this and never uses here. Whoever is
# killed would leave it, so it goes before anything else is imported. Where Snakemake does want it, it is made again.
with suppress(OSError):
    workflow.snakemake_tmp_dir.rmdir()

from fuselab.workflow.layout import holders
from fuselab.workflow.parameters import Told
from fuselab.workflow.snakefile import Workflow


configfile: "config.yaml"


# Experiments are read when a rule first asks for one, so a broken file stops only those who want it.
lab = Workflow(
    Path(workflow.basedir),
    workflow.is_main_process,
    config["experiments"],
    config.get("night"),
    dry=lambda: workflow.executor_plugin is None or workflow.dryrun or workflow.touch,
)

workflow.global_resources.setdefault("rig", 1)
workflow.global_resources.setdefault("cargo", 1)


wildcard_constraints:
    experiment=r"[A-Za-z0-9][A-Za-z0-9_.-]*",
    variant=r"[A-Za-z0-9][A-Za-z0-9_.-]*",
    baseline=r"[A-Za-z0-9][A-Za-z0-9_.-]*",
    load=r"[A-Za-z0-9][A-Za-z0-9_.-]*",
    workload=r"[A-Za-z0-9][A-Za-z0-9_.-]*",
    profiler=r"[a-z][a-z-]*",
    profilers=r"[a-z][a-z+-]*",
    spec=r"[0-9a-f]{12}",
    number=r"[0-9]{3}",


rule all:
    default_target: True
    input:
        "results/report.html",


include: "rules/build.smk"
include: "rules/mount.smk"
include: "rules/load.smk"
include: "rules/measure.smk"
include: "rules/capture.smk"
include: "rules/process.smk"
include: "rules/compare.smk"
include: "rules/report.smk"
include: "rules/nightly.smk"


onsuccess:
    lab.tell_broken()
    lab.require_made(file for job in workflow.dag.targetjobs for file in (job.output or job.input))


onerror:
    lab.tell_broken()
