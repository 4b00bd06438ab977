"""From the metrics of all timed runs to comparisons.csv: estimate, correct for many, put into words.

`metrics` is always the tidy table of `records.metrics.Sample`, without the runs of voided blocks. Its columns tail_ios,
slope, noisy and busy_start may be missing: they say what to doubt.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import product

import pandas as pd

from fuselab.compare.attrition import NOTHING_LOST, Attrition
from fuselab.compare.caveats import Shortfalls, caveats, closed_loop_caveat, overload, shortfalls, tail_reason
from fuselab.compare.multiple_testing import Claim, benjamini_hochberg, differs, judge_family, verdict
from fuselab.compare.schedule import level_of, looks_of, minimum_blocks, next_look
from fuselab.compare.signed_rank import Interval, NoRatioError, interval, spread
from fuselab.records.comparison import FAILED, INCONCLUSIVE, Comparison, Family
from fuselab.records.design import Design, Pair
from fuselab.records.metrics import Sample
from fuselab.records.table import cells, columns
from fuselab.workloads import quantity

_NEEDED = ("workload", "block", "variant", "metric", "unit", "value", "better")
_FAMILIES: tuple[Family, ...] = ("primary", "control", "exploratory")
"""In the order of the rows."""


def frame(samples: Iterable[Sample]) -> pd.DataFrame:
    """`metrics`, of rows of metrics.csv."""
    return pd.DataFrame(list(cells(Sample, samples)), columns=list(columns(Sample)))


def judge(metrics: pd.DataFrame, design: Design, attrition: Attrition = NOTHING_LOST) -> list[Comparison]:
    """One row per contrast, workload and metric; primary metrics first.

    Verdicts are corrected by Holm over the primary rows, by Benjamini-Hochberg over the exploratory ones; each
    control is judged by itself.

    Raises:
        ValueError: a column is missing, a run has two values of one metric, or `better` is no direction.
    """
    _check(metrics)
    short = shortfalls(metrics, design)
    rows = [
        _compared(runs, _blank(design, attrition, pair, str(workload), str(metric)), design, attrition, short)
        for (workload, metric), runs in metrics.groupby(["workload", "metric"], sort=False)
        for pair in design.pairs
    ]
    rows += _missing(metrics, design, attrition)
    # That a variant failed is said once, where it is judged.
    rows = [row for row in rows if row.family != "exploratory" or row.verdict != FAILED]
    size = family_size(metrics, design)
    return [
        _noted(row, *_remarks(row, design))
        for family in _FAMILIES
        for row in _corrected(family, [row for row in rows if row.family == family], design, size)
    ]


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
    by_workload = metrics.groupby("workload")["metric"] if len(metrics) else ()
    return design.family_size({str(workload): set(seen) for workload, seen in by_workload})


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


def _blank(design: Design, attrition: Attrition, pair: Pair, workload: str, metric: str) -> Comparison:
    """A row of which nothing is known yet but what it is to compare."""
    family: Family = "primary" if metric in design.primary else "exploratory"
    return Comparison(
        design.experiment, workload, *pair, metric,
        family="control" if design.is_control(pair) else family,
        level=level_of(design.blocks), correction="none", voided=attrition.voided.get(workload, 0),
    )  # fmt: skip


def _noted(row: Comparison, *notes: str) -> Comparison:
    return replace(row, note="; ".join(filter(None, (row.note, *notes))))


def _settled(row: Comparison, word: str, reason: str) -> Comparison:
    """The row with a verdict for `reason`, which no figures can change."""
    return _noted(replace(row, verdict=word, gated=True), reason)


def _compared(
    runs: pd.DataFrame, row: Comparison, design: Design, attrition: Attrition, short: Shortfalls
) -> Comparison:
    """What the runs of one workload and metric say of one contrast, not yet corrected for the others."""
    row = replace(row, unit=str(runs["unit"].iloc[0]), better=runs["better"].iloc[0])
    pair = (row.baseline, row.variant)
    if failure := attrition.failure(pair, row.workload):
        return _settled(row, FAILED, failure)
    before, after = (runs[runs["variant"] == name].set_index("block") for name in pair)
    values = pd.concat([before["value"], after["value"]], axis=1, join="outer").set_axis(
        ["before", "after"], axis=1
    )
    pairs = values.dropna()
    row = replace(row, blocks=len(pairs))
    hidden = tail_reason(row.metric, [*_tails(before), *_tails(after)])
    if hidden or pairs.empty:
        ran = values.index.isin(before.index) & values.index.isin(after.index)
        what = "a number" if ran.any() else "runs"
        return _settled(row, INCONCLUSIVE, hidden or f"no block with {what} of both variants")
    try:
        ratio = interval(pairs["before"], pairs["after"], level_of(design.blocks))
        beside = spread(pairs["before"], pairs["after"], runs["better"].iloc[0])
    except NoRatioError as error:
        return _settled(row, INCONCLUSIVE, str(error))
    row = replace(row, **vars(ratio), **vars(beside))
    unexplained = values.index.difference(pairs.index).difference(list(attrition.lost_by(pair, row.workload)))
    if len(unexplained):
        # A verdict from the blocks that are left would be one on the survivors.
        lost = f"one side has no value in {len(unexplained)} of {len(values)} blocks"
        row = _settled(row, INCONCLUSIVE, lost)
    return _noted(
        row, *caveats(runs, pair, design, attrition), *overload(row.metric, row.workload, pair, short)
    )


def _tails(runs: pd.DataFrame) -> list[float]:
    """I/Os beyond the percentile in each run; NaN where unknown."""
    return runs["tail_ios"].astype(float).tolist() if "tail_ios" in runs else [math.nan] * len(runs)


def _missing(metrics: pd.DataFrame, design: Design, attrition: Attrition) -> Iterator[Comparison]:
    """Primary comparisons that no run speaks of: all variants failed, or nothing yields the metric."""
    measured, timed = set(metrics["metric"]), set(metrics["workload"])
    for workload, metric, pair in product(design.workloads, design.primary, design.pairs):
        # A metric that this workload has none of, but another has, is no gap: reads do not write.
        if workload in timed and metric in measured:
            continue
        row, failure = _blank(design, attrition, pair, workload, metric), attrition.failure(pair, workload)
        yield _settled(row, FAILED, failure) if failure else _settled(row, INCONCLUSIVE, "not measured")


def _claim(row: Comparison) -> Claim | None:
    """What the figures of a row could be said to show; None of a row without, or one that is settled."""
    if row.gated or row.ratio is None or row.p is None or row.level is None or not row.better:
        return None
    ratio = Interval(row.blocks, row.level, row.ratio, row.ratio_low, row.ratio_high, row.p)
    return Claim(ratio, row.better, quantity(row.metric).resolution)


def _corrected(family: Family, rows: Sequence[Comparison], design: Design, size: int) -> Iterator[Comparison]:
    """The rows of one family with their verdicts. `size` is that of the whole family, if it is the primary one."""
    claims = [claim for row in rows if (claim := _claim(row))]
    correction = "none"
    ps: Sequence[float | None] = [claim.interval.p for claim in claims]
    if family == "primary":
        correction = f"Holm over {size}"
        looks = len(looks_of(design.blocks))
        judged = judge_family(claims, family=size, looks=looks, threshold=design.threshold)
    else:
        if family == "exploratory":
            correction = f"Benjamini-Hochberg over {len(claims)}, exploratory"
            ps = benjamini_hochberg(ps)
        judged = [
            (verdict(claim, p, design.threshold), p)
            for claim, p in zip(claims, ps, strict=True)
            if p is not None
        ]
    verdicts = iter(judged)
    for row in rows:
        if _claim(row) is None:
            yield row
        else:
            word, p_adjusted = next(verdicts)
            yield replace(row, verdict=word, p_adjusted=p_adjusted, correction=correction)


def _remarks(row: Comparison, design: Design) -> Iterator[str]:
    """What a reader must know to understand the verdict beside its interval."""
    level, resolution = level_of(design.blocks), quantity(row.metric).resolution
    if row.ratio is not None and row.p is not None and row.p_adjusted is not None and differs(row.p, level):
        if not differs(row.p_adjusted, level):
            yield f"the interval leaves out 0 by itself, but not after the correction ({row.correction})"
        elif abs(row.ratio - 1) < resolution:
            yield f"no difference below {resolution:.0%} is claimed on a percentile"
    if row.ratio is not None and row.ratio_low is None:
        yield f"{row.blocks} blocks: an interval of {level:.1%} needs {minimum_blocks(level)}"
    elif row.ratio is not None and isinstance(design.blocks, int) and row.blocks < design.blocks:
        yield f"{row.blocks} of {design.blocks} blocks"
    caveat = closed_loop_caveat(row.metric, row.workload in design.closed_loop)
    if caveat and row.verdict != FAILED:
        yield caveat
