"""What an experiment states beforehand, for whoever judges it."""

from __future__ import annotations

from fuselab.experiment.checks import yields
from fuselab.experiment.guards import guards_of
from fuselab.experiment.model import Experiment
from fuselab.records.design import Design


def design_of(experiment: Experiment) -> Design:
    e, curves = experiment, curves_of(experiment)
    closed = [w.name for w in e.workloads if w.behaviour.closed_loop(w.settings)]
    closed += [curve for curve, points in curves.items() if any(point in closed for point in points)]
    primary_of = {w.name: tuple(m for m in e.compare.primary if yields(w, m)) for w in e.workloads}
    of_curves = {
        curve: tuple(m for m in e.compare.primary if all(m in primary_of[point] for point in points))
        for curve, points in curves.items()
    }
    return Design(
        experiment=e.name,
        baseline=e.baseline.name,
        contrasts=tuple((c.baseline, c.variant) for c in e.contrasts),
        workloads=tuple(w.name for w in e.workloads),
        primary=e.compare.primary,
        threshold=e.compare.threshold,
        blocks=e.blocks,
        controls=tuple(v.name for v in e.variants if v.control),
        closed_loop=tuple(closed),
        fixed_rates={w.name: w.behaviour.fixed_rates(w.settings) for w in e.workloads},
        primary_of={**primary_of, **of_curves},
        curves=curves,
        guards=guards_of(e),
    )


def family(experiment: Experiment) -> int:
    """Comparisons that are corrected together: contrasts, without controls, by the primary metrics of each workload."""
    return max(1, design_of(experiment).family_size({}))


def curves_of(experiment: Experiment) -> dict[str, tuple[str, ...]]:
    """Curve -> its points."""
    found: dict[str, tuple[str, ...]] = {}
    for workload in experiment.workloads:
        if workload.point:
            curve = workload.point.curve
            found[curve] = (*found.get(curve, ()), workload.name)
    return found
