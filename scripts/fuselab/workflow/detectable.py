"""What an experiment can find: the smallest change that its design will probably call faster or slower."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fuselab.compare.power import NOISY, QUIET, smallest_effect
from fuselab.experiment.design import design_of, family
from fuselab.experiment.plan import Plan
from fuselab.records.metrics import Sample
from fuselab.records.places import BLOCK, Home, Results
from fuselab.records.table import read_rows

_ENOUGH = 6
"""Blocks from which on their scatter says something."""


@dataclass(frozen=True)
class Detectable:
    """The smallest change that four of five experiments of this design find; None: no change is."""

    machine: str
    change: float | None


def detectable(plan: Plan, root: Path) -> Iterator[Detectable]:
    """From the scatter of the blocks that are there; before any, for a quiet and a noisy machine."""
    e = plan.experiment
    design: dict[str, Any] = {
        "family": family(e),
        "variants": len(e.variants),
        "threshold": e.compare.threshold,
    }
    if len(e.variants) < 2:
        return
    measured = _differences(plan, root)
    for name, differences in measured.items():
        yield Detectable(f"here, {name}", smallest_effect(e.blocks, differences, **design))
    if not measured:
        yield Detectable("on a quiet machine", smallest_effect(e.blocks, QUIET, **design))
        yield Detectable("on a noisy machine", smallest_effect(e.blocks, NOISY, **design))


def _is_read(home: Home, plan: Plan, workload: str) -> bool:
    """Whether there are blocks of the workload as it is now, and the metrics were made after the last of them."""
    blocks = home.blocks(workload, plan.timed_spec(workload)).glob(f"*/{BLOCK}")
    newest = max((block.stat().st_mtime_ns for block in blocks), default=None)
    return newest is not None and home.metrics.stat().st_mtime_ns >= newest


def _differences(plan: Plan, root: Path) -> dict[str, Sequence[float]]:
    """`workload metric` -> ln(variant / baseline) by block: of an A/A control, or else of the first contrast."""
    home = Results(root).experiment(plan.experiment.name)
    if not home.metrics.exists():
        return {}
    # Figures of a load that has been edited since say nothing of the new one.
    current = {w.name for w in plan.experiment.workloads if _is_read(home, plan, w.name)}
    design = design_of(plan.experiment)
    at_points: dict[tuple[str, str, str], dict[int, list[float]]] = {}
    for s in read_rows(home.metrics, Sample):
        if s.metric in plan.experiment.compare.primary and s.workload in current:
            key = design.judged_as(s.workload), s.metric, s.variant
            at_points.setdefault(key, {}).setdefault(s.block, []).append(s.value)
    values = {
        key: {
            b: _mean(found) for b, found in blocks.items() if len(found) == len(design.measured_with(key[0]))
        }
        for key, blocks in at_points.items()
    }
    controls = {variant.name for variant in plan.experiment.variants if variant.control}
    contrasts = sorted(plan.experiment.contrasts, key=lambda pair: pair.variant not in controls)
    differences: dict[str, Sequence[float]] = {}
    for workload, metric in sorted({key[:2] for key in values}):
        for pair in contrasts:
            base = values.get((workload, metric, pair.baseline), {})
            other = values.get((workload, metric, pair.variant), {})
            logs = [
                math.log(other[block] / base[block]) for block in base if base[block] and other.get(block)
            ]
            if len(logs) >= _ENOUGH:
                differences.setdefault(f"{workload} {metric}", logs)
    return differences


def _mean(values: Sequence[float]) -> float:
    """Geometric, as a curve is judged; 0 where one is no number to take it of."""
    return math.exp(math.fsum(map(math.log, values)) / len(values)) if min(values) > 0 else 0.0
