"""What a reader should know before believing a figure, beside the alarms of controls."""

from __future__ import annotations

from collections.abc import Iterator

from fuselab.records.contrast import Contrast
from fuselab.records.plan import PlanFile, WorkloadPlan
from fuselab.report import origin, words
from fuselab.report.page import verdicts
from fuselab.report.page.nodes import disagreements
from fuselab.report.reading import Results
from fuselab.workloads import REGISTRY, quantity


def cautions(results: Results) -> Iterator[str]:
    plan = results.plan
    if plan.network == "host":
        yield "Runs used the machine's own network: other traffic and other processes can reach into them."
    if not plan.controls and plan.variants:
        yield (
            "No A/A control was asked for (`control: true`): this page cannot say how often this machine finds a "
            "difference where there is none."
        )
    if len(origin.hosts(results)) > 1:
        yield (
            "Blocks ran on several machines. Ratios are taken within a block, so they hold; absolute figures mix "
            "machines."
        )
        yield from disagreements(results)
    for contrast in _same_programs(results):
        yield (
            f"`{contrast.variant}` and `{contrast.baseline}` were built differently and are the same program, byte for "
            "byte: what differs between them is how they are mounted and loaded, or chance."
        )
    if mixed := _mixed(results):
        yield (
            f"In {words.names(mixed)}, reads and writes of one job wait for each other: "
            "their verdicts do not stand alone."
        )


def _same_programs(results: Results) -> list[Contrast]:
    """Contrasts of two builds, each with a name of its own, that made the same bytes."""
    builds = results.timed_builds
    return [
        contrast
        for contrast in results.plan.contrasts
        if (one := builds.get(contrast.baseline))
        and (two := builds.get(contrast.variant))
        and one is not two
        and one.sha256
        and one.sha256 == two.sha256
    ]


def _mixed(results: Results) -> list[str]:
    """Workloads in which one job does both, and of which a primary verdict is on either."""
    judged = {
        row.workload
        for row in verdicts.primary_rows(results)
        if quantity(row.metric).side in ("read", "write")
    }
    return [w.name for w in results.plan.workloads if w.judged_as in judged and _mixes(results.plan, w)]


def _mixes(plan: PlanFile, workload: WorkloadPlan) -> bool:
    kind = REGISTRY[workload.kind]
    sides = [variant.own.get(workload.kind, {}) for variant in plan.variants] or [{}]
    return any(kind.mixes_directions(kind.overlaid(workload.settings, own)) for own in sides)
