"""What an experiment states beforehand, for whoever judges it."""

from __future__ import annotations

from fuselab.experiment.checks import yields
from fuselab.experiment.model import Experiment
from fuselab.records.design import Design


def design_of(experiment: Experiment) -> Design:
    e = experiment
    return Design(
        experiment=e.name,
        baseline=e.baseline.name,
        contrasts=tuple((c.baseline, c.variant) for c in e.contrasts),
        workloads=tuple(w.name for w in e.workloads),
        primary=e.compare.primary,
        threshold=e.compare.threshold,
        blocks=e.blocks,
        controls=tuple(v.name for v in e.variants if v.control),
        closed_loop=tuple(w.name for w in e.workloads if w.behaviour.closed_loop(w.settings)),
        fixed_rates={w.name: w.behaviour.fixed_rates(w.settings) for w in e.workloads},
        primary_of={w.name: tuple(m for m in e.compare.primary if yields(w, m)) for w in e.workloads},
    )
