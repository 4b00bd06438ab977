"""From the metrics of all timed runs to `comparisons.csv`: estimate, gate, correct for many, put into words.

`metrics` is always the tidy table of `records.metrics.Sample`, without the runs of voided blocks. Its columns tail_ios,
slope, noisy and busy_start may be missing: they say what to doubt.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import product

import pandas as pd

from fuselab.compare import gates
from fuselab.compare.attrition import NOTHING_LOST, Attrition
from fuselab.compare.doubts import Shortfalls, doubts, overload, shortfalls
from fuselab.compare.estimate import NoRatioError, interval, spread
from fuselab.compare.looks import next_look
from fuselab.compare.rows import Draft, finish
from fuselab.compare.schedule import level_of
from fuselab.records.comparison import FAILED, INCONCLUSIVE, Comparison
from fuselab.records.design import Design, Pair
from fuselab.records.metrics import Better, Sample
from fuselab.records.table import cells, columns

_NEEDED = ("workload", "block", "variant", "metric", "unit", "value", "better")


def frame(samples: Iterable[Sample]) -> pd.DataFrame:
    """`metrics`, of rows of metrics.csv."""
    return pd.DataFrame(list(cells(Sample, samples)), columns=list(columns(Sample)))


def judge(metrics: pd.DataFrame, design: Design, attrition: Attrition = NOTHING_LOST) -> list[Comparison]:
    """One row per contrast, workload and metric; primary metrics first.

    Raises:
        ValueError: a column is missing, a run has two values of one metric, or `better` is no direction.
    """
    _check(metrics)
    short = shortfalls(metrics, design)
    drafts = [
        _draft(runs, design, attrition, pair, str(workload), str(metric), short)
        for (workload, metric), runs in metrics.groupby(["workload", "metric"], sort=False)
        for pair in design.pairs
    ]
    drafts += _missing(metrics, design, attrition)
    return finish(drafts, design, attrition, family_size(metrics, design))


def decide_look(
    metrics: pd.DataFrame, design: Design, workload: str, blocks: int, attrition: Attrition = NOTHING_LOST
) -> int | None:
    """Count of blocks that `workload` must go on to after `blocks` are done; None if that was enough.

    Blocks are enough when each primary comparison of the workload is decided, or cannot be decided by more of
    them. Other workloads may be measured or not: the correction counts them either way, and what decides here
    still decides when they are in. A fixed design never needs more.
    """
    if design.blocks != "auto":
        return None
    rows = judge(metrics[metrics["workload"] == workload], design, attrition)
    here = [row for row in rows if row.workload == workload and row.family == "primary" and not row.gated]
    return next_look(blocks, [row.verdict for row in here])


def family_size(metrics: pd.DataFrame, design: Design) -> int:
    """Size of the Holm family: contrasts without controls x workloads x the primary metrics they can yield.

    A workload not measured yet counts with those that it will yield; a failed variant counts as it was planned.
    """
    seen = metrics.groupby("workload")["metric"].agg(set).to_dict() if len(metrics) else {}
    contrasts = sum(not design.is_control(pair) for pair in design.pairs)
    planned = {name: set(design.primary_of.get(name, design.primary)) for name in design.workloads}
    yielded = (len(set(design.primary) & seen.get(name, planned[name])) for name in design.workloads)
    return contrasts * sum(yielded)


def _check(metrics: pd.DataFrame) -> None:
    missing = [column for column in _NEEDED if column not in metrics.columns]
    if missing:
        raise ValueError(f"metrics lack the columns {missing}")
    twice = metrics.duplicated(["workload", "block", "variant", "metric"])
    if twice.any():
        first = metrics[twice].iloc[0]
        raise ValueError(f"two values of {first['metric']} for {first['variant']} in block {first['block']}")
    wrong = set(metrics["better"].unique()) - {"higher", "lower"}
    if wrong:
        raise ValueError(f"better is higher or lower, not {sorted(map(str, wrong))}")


def _draft(
    runs: pd.DataFrame,
    design: Design,
    attrition: Attrition,
    pair: Pair,
    workload: str,
    metric: str,
    short: Shortfalls,
) -> Draft:
    """What the runs of one workload and metric say of one contrast, not yet corrected for the others."""
    better: Better = runs["better"].iloc[0]
    draft = Draft(pair, workload, metric, str(runs["unit"].iloc[0]), better)
    failure = attrition.failure(pair, workload)
    if failure:
        return draft.gate(FAILED, failure)
    before, after = (runs[runs["variant"] == name].set_index("block") for name in pair)
    values = pd.concat([before["value"], after["value"]], axis=1, join="outer").set_axis(
        ["before", "after"], axis=1
    )
    pairs = values.dropna()
    draft = replace(draft, blocks=len(pairs))
    hidden = gates.tail_reason(metric, [*_tails(before), *_tails(after)])
    if hidden or pairs.empty:
        ran = values.index.isin(before.index) & values.index.isin(after.index)
        what = "a number" if ran.any() else "runs"
        return draft.gate(INCONCLUSIVE, hidden or f"no block with {what} of both variants")
    try:
        found = interval(pairs["before"], pairs["after"], level_of(design.blocks))
        draft = replace(draft, interval=found, spread=spread(pairs["before"], pairs["after"], better))
    except NoRatioError as error:
        return draft.gate(INCONCLUSIVE, str(error))
    unexplained = values.index.difference(pairs.index).difference(list(attrition.lost_by(pair, workload)))
    if len(unexplained):
        # A verdict from the blocks that are left would be one on the survivors.
        draft = draft.gate(
            INCONCLUSIVE, f"one side has no value in {len(unexplained)} of {len(values)} blocks"
        )
    notes = (*doubts(runs, pair, design, attrition), *overload(metric, workload, pair, short))
    return replace(draft, notes=draft.notes + notes)


def _tails(runs: pd.DataFrame) -> list[float]:
    """I/Os beyond the percentile in each run; NaN where unknown."""
    return runs["tail_ios"].astype(float).tolist() if "tail_ios" in runs else [math.nan] * len(runs)


def _missing(metrics: pd.DataFrame, design: Design, attrition: Attrition) -> Iterator[Draft]:
    """Primary comparisons that no run speaks of: all variants failed, or nothing yields the metric."""
    measured = metrics.groupby("metric")["workload"].agg(set).to_dict() if len(metrics) else {}
    timed = set(metrics["workload"])
    for workload, metric, pair in product(design.workloads, design.primary, design.pairs):
        # A metric that this workload has none of, but another has, is no gap: reads do not write.
        if workload in timed and metric in measured:
            continue
        draft, failure = Draft(pair, workload, metric), attrition.failure(pair, workload)
        yield draft.gate(FAILED, failure) if failure else draft.gate(INCONCLUSIVE, "not measured")
