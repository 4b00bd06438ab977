"""Variants that failed and stand in no comparison: no verdict says of them that they did."""

from __future__ import annotations

from collections.abc import Iterator

from fuselab.records.block import standing
from fuselab.records.failures import rates
from fuselab.report.reading import Results


def uncompared(results: Results) -> tuple[str, ...]:
    """Sentences, each about one such variant under one load."""
    return tuple(_sentences(results))


def _sentences(results: Results) -> Iterator[str]:
    plan = results.plan
    compared = {name for contrast in plan.contrasts for name in (contrast.baseline, contrast.variant)}
    alone = [variant.name for variant in plan.variants if variant.name not in compared]
    for verified in results.verifies.values():
        if verified.variant in alone and (verified.failures or verified.status == "failed"):
            line = (
                verified.failures[-1].line
                if verified.failures
                else (verified.reason or "").partition("\n")[0]
            )
            yield f"`{verified.variant}` {verified.rate}: {line}."
    for workload, blocks in results.blocks.items():
        for name in alone:
            so_far = standing(blocks, name)
            if so_far.failures:
                rate = rates(so_far.failures, so_far.tries)
                yield f"`{name}` {rate} under `{workload}`: {so_far.failures[-1].line}."
