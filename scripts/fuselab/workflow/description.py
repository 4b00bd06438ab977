"""The plan of an experiment in the words of plan.json."""

from __future__ import annotations

import datetime
from pathlib import Path

from fuselab import profilers
from fuselab.experiment.guards import is_day
from fuselab.experiment.model import Accept, Experiment, Workload
from fuselab.experiment.plan import NONE, Plan
from fuselab.project import measured_file
from fuselab.records.plan import (
    AcceptPlan,
    PlanFile,
    ProfilerPlan,
    SkippedPlan,
    VariantPlan,
    WorkloadPlan,
)
from fuselab.targets.model import service_name


def describe(plan: Plan) -> PlanFile:
    experiment = plan.experiment
    names = dict.fromkeys(name for group in experiment.profilers for name in group)
    night = f" --config night={experiment.night}" if experiment.night else ""
    return PlanFile(
        experiment=experiment.name,
        title=experiment.title,
        path=_path(experiment),
        notes=experiment.notes,
        variants=tuple(_variant(plan, name) for name in (v.name for v in experiment.variants)),
        workloads=tuple(_workload(plan, w) for w in experiment.workloads),
        contrasts=experiment.contrasts,
        primary=experiment.compare.primary,
        threshold=experiment.compare.threshold,
        blocks=experiment.blocks,
        verifying=plan.verifying,
        captures=plan.captures,
        skipped=tuple(
            SkippedPlan(s.variant, s.profiler, s.capability.level, s.capability.reason) for s in plan.skipped
        ),
        profilers=tuple(
            ProfilerPlan(name, p.title, p.unit, p.sees, p.blind_to)
            for name, p in ((name, profilers.REGISTRY[name]) for name in names)
        ),
        seed=experiment.seed,
        night=experiment.night,
        instrumentation=experiment.instrumentation,
        cost=experiment.cost,
        network=experiment.network,
        cpus=experiment.cpus.words,
        mounts=experiment.mounts,
        builds=plan.all_builds,
        accepted=tuple(_accepted(experiment, each) for each in experiment.accept),
        commands=(f"snakemake --cores 4 results/{experiment.name}/report.html{night}",),
    )


def _accepted(experiment: Experiment, accept: Accept) -> AcceptPlan:
    """Whether a revision is reached was looked at when the experiment was read; a day is over the day after."""
    today = experiment.night or str(datetime.date.today())
    over = accept.reached or (is_day(accept.until) and accept.until < today)
    return AcceptPlan(accept.metric, accept.variant, accept.reason, accept.until, accept.workload, over)


def _workload(plan: Plan, workload: Workload) -> WorkloadPlan:
    name, work = workload.name, plan.work
    return WorkloadPlan(
        name=name,
        kind=workload.kind,
        spec=plan.timed_spec(name),
        cache=workload.cache,
        job=plan.jobs.get(name),
        settings=workload.settings,
        work_spec=plan.work_spec(name) if name in work.workloads else "",
        work=work.words.get(name) or work.left_out.get(name, ""),
        point=workload.point,
        slice_s=workload.slice_s,
    )


def _path(experiment: Experiment) -> str:
    """Of its file, relative to the project."""
    beside = measured_file(Path(), experiment.name)
    return str(beside if experiment.path.match(str(beside)) else Path("experiments", experiment.path.name))


def _variant(plan: Plan, name: str) -> VariantPlan:
    variant = plan.experiment.variant(name)
    return VariantPlan(
        name=name,
        target=variant.target,
        backend=variant.backend,
        rev=variant.rev,
        features=variant.features,
        rustflags=variant.rustflags,
        profile=variant.profile,
        options=dict(variant.options),
        env=dict(variant.env),
        fio=dict(variant.fio),
        control=variant.control,
        argv=plan.mounts[name, NONE].argv,
        builds=plan.builds_of(name),
        services={role: service.name for role, service in plan.mounts[name, NONE].services},
        links={service_name(role): link.words for role, link in variant.network},
        drain=drain.words if (drain := plan.mounts[name, NONE].drain) else "",
        setting=plan.setting_of(name),
    )
