"""`budget`: how long loads may run in all; how many blocks there are follows from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fuselab.compare.schedule import FIXED_LEVEL, minimum_blocks, rounds
from fuselab.experiment.model import Variant, Workload
from fuselab.schema import units
from fuselab.schema.diagnostics import Diagnostics
from fuselab.words import duration

MOST = 999
"""Blocks, as many as `blocks` takes."""


def blocks_of(
    diagnostics: Diagnostics,
    data: Mapping[str, Any],
    workloads: tuple[Workload, ...],
    variants: Mapping[str, Variant],
) -> int | None:
    """As many blocks as the load that runs longest has within the budget; None without one, or where it is wrong."""
    given = data.get("budget")
    if given is None:
        return None
    if "blocks" in data:
        message = "'budget' says how many blocks there are, and so does 'blocks': leave one of them out"
        diagnostics.add(("budget",), message, of_key=True)
        return None
    longest_s, name = 0.0, ""
    for workload in workloads:
        seconds = block_s(workload, variants)
        if seconds is None:
            diagnostics.add(
                ("budget",),
                f"how long '{workload.name}' runs is not known before it has: 'budget' is for loads that have a "
                "runtime; use 'blocks'",
                of_key=True,
            )
            return None
        longest_s, name = max((longest_s, name), (seconds, workload.name))
    if not name:
        return None
    blocks, least = int(units.seconds(given) / longest_s + 1e-9), minimum_blocks(FIXED_LEVEL)
    if blocks < least:
        diagnostics.add(
            ("budget",),
            f"{given} is too little for an interval, which takes {least} blocks: in each, '{name}' runs "
            f"{duration(longest_s)} for all variants together",
            corrected=f"budget: {least * longest_s:g}s",
        )
        return None
    return min(blocks, MOST)


def block_s(workload: Workload, variants: Mapping[str, Variant]) -> float | None:
    """How long `workload` runs in one block, ramps included; None where only a run can tell."""
    total = 0.0
    for variant in variants.values():
        own = workload.for_variant(variant)
        if workload.slice_s is None:
            seconds = own.behaviour.seconds(own.settings)
        else:  # all have as many turns as the load itself asks for
            asked = workload.behaviour.turn_seconds(workload.settings) or 0.0
            seconds = workload.slice_s * rounds(len(variants), asked / workload.slice_s)
        if not seconds:
            return None
        total += seconds
    return total
