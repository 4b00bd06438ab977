"""Loads that took turns: what each did in its slices over the time of a block, and where the uncertainty comes from."""

from __future__ import annotations

import math
from collections.abc import Iterator
from statistics import fmean, median, variance

import pandas as pd

from fuselab.records.plan import WorkloadPlan
from fuselab.records.slices import SLICES, Slice, added_up
from fuselab.records.table import read_rows
from fuselab.report import words
from fuselab.report.figures import runs
from fuselab.report.figures.base import Places
from fuselab.report.figures.drawing import Drawing
from fuselab.report.reading import Results

_CAPTION = (
    "What each load moved in its own turns. All variants of a block are mounted at once, and only one load runs "
    "at a time, so a machine that slows down slows all of them. "
)
_SINCE = "the first turn of the block"


def drawings(results: Results, workload: WorkloadPlan, variants: Places) -> list[Drawing]:
    """One drawing; none where no block is whole."""
    blocks = _blocks(results, workload)
    if not blocks:
        return []
    rows = [
        (each.variant, block, each.at_s, (each.read_bytes + each.written_bytes) / each.seconds)
        for block, slices in blocks.items()
        for each in slices
        if each.own
    ]
    series = pd.DataFrame(rows, columns=["variant", "run", "time_s", "value"])
    caption = _CAPTION + " ".join(_said(results, blocks))
    name = words.slug("slices", workload.name)
    return [runs.over_time(name, series, variants, "Throughput by slice", "bytes/s", _SINCE, caption)]


def _blocks(results: Results, workload: WorkloadPlan) -> dict[int, tuple[Slice, ...]]:
    """By number of the block."""
    there = (path.with_name(SLICES) for path in results.inputs.blocks)
    mine = (path for path in there if path.parts[-4] == workload.name and path.is_file())
    return {int(path.parent.name): read_rows(path, Slice) for path in mine}


def _said(results: Results, blocks: dict[int, tuple[Slice, ...]]) -> Iterator[str]:
    names = dict.fromkeys(each.variant for slices in blocks.values() for each in slices)
    carried = {name: median([added_up(s, name).carried for s in blocks.values()]) for name in names}
    most = max(carried, key=lambda name: carried[name])
    yield (
        f"In the slices of others, a variant and its services computed for {words.percent(carried[most])} of the time "
        f"of their own at most (`{most}`)."
    )
    for contrast in results.plan.contrasts:
        pair = (contrast.baseline, contrast.variant)
        if set(pair) <= names.keys() and (share := between_mounts(blocks, *pair)) is not None:
            yield (
                f"Of the spread of `{pair[1]}` / `{pair[0]}` from block to block, {words.percent(share)} is more than "
                "the slices of a block explain: it differs from mount to mount."
            )


def between_mounts(blocks: dict[int, tuple[Slice, ...]], baseline: str, variant: str) -> float | None:
    """Share of the variance of a block's ln(variant / baseline) that is not the scatter of its rounds: one-way analysis
    of variance, with the mean of rounds as the block's. None with fewer than three blocks."""
    means, within = [], []
    for slices in blocks.values():
        ratios = _ratios(slices, baseline, variant)
        if len(ratios) > 1:
            means.append(fmean(ratios))
            within.append(variance(ratios) / len(ratios))
    if len(means) < 3 or (total := variance(means)) == 0:
        return None
    return max(0.0, 1 - fmean(within) / total)


def _ratios(slices: tuple[Slice, ...], baseline: str, variant: str) -> list[float]:
    """ln(variant / baseline) of each round in which both moved anything."""
    speeds: dict[int, dict[str, float]] = {}
    for each in slices:
        if each.own:
            speeds.setdefault(each.round, {})[each.variant] = (
                each.read_bytes + each.written_bytes
            ) / each.seconds
    pairs = [(of.get(baseline, 0.0), of.get(variant, 0.0)) for of in speeds.values()]
    return [math.log(after / before) for before, after in pairs if before > 0 and after > 0]
