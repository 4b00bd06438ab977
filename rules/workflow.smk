# The whole workflow, from experiments/*.yaml to results/report.html, for whichever Snakefile includes it: that of this
# checkout, or the one that `fuselab init` writes beside the source of a filesystem. The folder of that Snakefile is the
# project: experiments, targets and results are there.
from contextlib import suppress
from pathlib import Path

# An empty folder in the temporary one, which Snakemake has made before it reads this and never uses here. Whoever is
# killed would leave it, so it goes before anything else is imported. Where Snakemake does want it, it is made again.
with suppress(OSError):
    workflow.snakemake_tmp_dir.rmdir()

from fuselab.workflow.layout import holders
from fuselab.workflow.parameters import Told
from fuselab.workflow.snakefile import Workflow

# Experiments are read when a rule first asks for one, so a broken file stops only those who want it.
lab = Workflow(
    Path(workflow.basedir),
    workflow.is_main_process,
    config.get("experiments"),
    config.get("night"),
    dry=lambda: workflow.executor_plugin is None or workflow.dryrun or workflow.touch,
    remote=workflow.remote_exec,
)

workflow.global_resources.setdefault("rig", 1)
workflow.global_resources.setdefault("cargo", 1)


def every_core(wildcards):
    # Of the machine that the job runs on. Who submits to a cluster does not know that: its profile asks for whole nodes.
    return 1 if workflow.is_main_process and workflow.non_local_exec else workflow.cores


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


include: "build.smk"
include: "mount.smk"
include: "load.smk"
include: "measure.smk"
include: "capture.smk"
include: "process.smk"
include: "compare.smk"
include: "report.smk"
include: "nightly.smk"


# What takes a second, and what all of an experiment waits for: on a cluster too, it is done where the command is typed.
localrules:
    plan,
    fio_job,
    mount_config,
    look,
    metrics,
    compare,
    costs,
    report,
    overview,
    night,
    history,
    bundle,
    reproduced,


def wanted():
    return [str(file) for job in workflow.dag.targetjobs for file in (job.output or job.input)]


onstart:
    lab.tell_time_left(wanted())


onsuccess:
    lab.tell_broken()
    files = wanted()
    lab.require_made(files)
    lab.say_last_words(files)


onerror:
    lab.tell_broken()
