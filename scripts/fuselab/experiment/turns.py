"""`design: slices`: which loads can take turns, and what is asked of the experiment that has them do so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from fuselab.experiment.model import Variant, Workload
from fuselab.schema import units
from fuselab.schema.diagnostics import Diagnostics

DEFAULT_S = 0.05
"""Chosen from what was replayed and measured: docs/method.md, *Slices*."""
SHORTEST_S, LONGEST_S = 0.02, 5.0
FEWEST_ROUNDS = 8
"""Turns of each variant in a run: with fewer, one disturbed slice is the run."""


def slice_of(diagnostics: Diagnostics, data: Mapping[str, Any]) -> float | None:
    """How long a turn is; None where loads take none."""
    given = data.get("slice")
    if data.get("design") != "slices":
        if given is not None:
            diagnostics.add(("slice",), "'slice' is for 'design: slices', which is not here", of_key=True)
        return None
    slice_s = units.seconds(given) if given is not None else DEFAULT_S
    if not SHORTEST_S <= slice_s <= LONGEST_S:
        message = f"{given} is no length for a turn: from {SHORTEST_S * 1000:.0f}ms to {LONGEST_S:g}s"
        diagnostics.add(("slice",), message, corrected=f"slice: {DEFAULT_S * 1000:.0f}ms")
    return slice_s


def check(
    diagnostics: Diagnostics,
    data: Mapping[str, Any],
    workloads: tuple[Workload, ...],
    variants: Mapping[str, Variant],
) -> None:
    """Add what cannot be, where loads take turns."""
    if data.get("design") != "slices":
        return
    if len(variants) == 1 and not diagnostics.broken_below(("variants",)):
        diagnostics.add(("design",), "one variant has nobody to take turns with: use 'design: blocks'")
    for workload in workloads:
        at = ("workloads", workload.name, workload.kind)
        if workload.slice_s is None or diagnostics.broken_below(at):
            continue
        if refused := refusal(workload, variants.values()):
            why, mend = refused
            diagnostics.add(
                at, f"'{workload.name}' cannot take turns ('design: slices'): {why}; {mend}", of_key=True
            )
            continue
        seconds = workload.behaviour.turn_seconds(workload.settings)
        if seconds is not None and seconds < FEWEST_ROUNDS * workload.slice_s:
            message = (
                f"'{workload.name}' has {seconds:g} s for turns of {workload.slice_s:g} s each: it needs "
                f"{FEWEST_ROUNDS} of them at least"
            )
            diagnostics.add(at, message, of_key=True)


def refusal(workload: Workload, variants: Iterable[Variant]) -> tuple[str, str] | None:
    """(why `workload` cannot take turns with others, what to do); None if it can."""
    loads = [workload, *(workload.for_variant(variant) for variant in variants)]
    return next(filter(None, (load.behaviour.no_turns(load.settings) for load in loads)), None)
