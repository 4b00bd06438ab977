"""The plan of an experiment in the words of plan.json."""

from __future__ import annotations

from fuselab import profilers
from fuselab.experiment.plan import NONE, Plan
from fuselab.records.plan import (
    PlanFile,
    ProfilerPlan,
    SkippedPlan,
    VariantPlan,
    WorkloadPlan,
)


def describe(plan: Plan) -> PlanFile:
    experiment = plan.experiment
    names = dict.fromkeys(name for group in experiment.profilers for name in group)
    night = f" --config night={experiment.night}" if experiment.night else ""
    return PlanFile(
        experiment=experiment.name,
        title=experiment.title,
        path=f"experiments/{experiment.path.name}",
        notes=experiment.notes,
        variants=tuple(_variant(plan, name) for name in (v.name for v in experiment.variants)),
        workloads=tuple(
            WorkloadPlan(w.name, w.kind, plan.timed_spec(w.name), w.cache, plan.jobs.get(w.name), w.settings)
            for w in experiment.workloads
        ),
        contrasts=experiment.contrasts,
        primary=experiment.compare.primary,
        threshold=experiment.compare.threshold,
        blocks=experiment.blocks,
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
        mounts=experiment.mounts,
        builds=tuple(plan.all_builds),
        commands=(f"snakemake --cores 4 results/{experiment.name}/report.html{night}",),
    )


def _variant(plan: Plan, name: str) -> VariantPlan:
    variant = plan.experiment.variant(name)
    service = plan.mounts[name, NONE].service
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
        builds={used: m.build for (owner, used), m in plan.mounts.items() if owner == name and m.build},
        verify_spec=plan.verify_spec(name) if name in plan.verified else "",
        service="" if service is None else service.name,
        setting=plan.setting_of(name),
    )
