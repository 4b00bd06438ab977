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

from fuselab.compare import counting, guards
from fuselab.compare.attrition import NOTHING_LOST, Attrition
from fuselab.compare.carry_over import carry_over
from fuselab.compare.caveats import Shortfalls, caveats, closed_loop_caveat, overload, shortfalls, tail_reason
from fuselab.compare.curves import losses, with_curves
from fuselab.compare.multiple_testing import (
    Claim,
    benjamini_hochberg,
    differs,
    judge_family,
    least_blocks,
    verdict,
)
from fuselab.compare.schedule import level_of, looks_of, minimum_blocks, next_look
from fuselab.compare.signed_rank import Interval, NoRatioError, interval, spread
from fuselab.records.comparison import (
    FAILED,
    INCONCLUSIVE,
    NO_DIFFERENCE,
    UNTOLD,
    Comparison,
    Family,
)
from fuselab.records.design import Design, Pair
from fuselab.records.metrics import Sample
from fuselab.records.table import cells, columns
from fuselab.workloads import quantity
from fuselab.workloads.counters import PER_OP

_NEEDED = ("workload", "block", "variant", "metric", "unit", "value", "better")
_FAMILIES: tuple[Family, ...] = ("primary", "control", "point", "exploratory")
"""Of what a clock measures, in the order of the rows."""


def frame(samples: Iterable[Sample]) -> pd.DataFrame:
    """`metrics`, of rows of metrics.csv."""
    return pd.DataFrame(list(cells(Sample, samples)), columns=list(columns(Sample)))


def judge(metrics: pd.DataFrame, design: Design, attrition: Attrition = NOTHING_LOST) -> list[Comparison]:
    """One row per contrast, workload and metric; primary metrics first.

    Verdicts are corrected by Holm over the primary rows, by Benjamini-Hochberg over the points of each curve and over
    the exploratory rows; each control is judged by itself; what is counted is the last family (`counting`).

    Raises:
        ValueError: a column is missing, a run has two values of one metric, or `better` is no direction.
    """
    _check(metrics)
    metrics, attrition = with_curves(metrics, design.curves), losses(attrition, design.curves)
    short = shortfalls(metrics, design)
    rows = [
        _compared(runs, _blank(design, attrition, pair, str(workload), str(metric)), design, attrition, short)
        for (workload, metric), runs in metrics.groupby(["workload", "metric"], sort=False)
        for pair in design.pairs
    ]
    rows += _missing(metrics, design, attrition)
    # That a variant failed is said once, where it is judged.
    rows = [row for row in rows if row.family in ("primary", "control", "point") or row.verdict != FAILED]
    size = family_size(metrics, design)
    timed = [
        row.noted(*_remarks(row, design, size))
        for family in _FAMILIES
        for together in _judged_together([row for row in rows if row.family == family], design)
        for row in _corrected(family, together, design, size)
    ]
    counted = counting.corrected([row for row in rows if row.family == "work"], design.threshold)
    return _guarded([*timed, *counted], metrics, design, attrition)


def decide_look(
    metrics: pd.DataFrame, design: Design, workload: str, blocks: int, attrition: Attrition = NOTHING_LOST
) -> int | None:
    """Count of blocks that `workload` must go on to after `blocks` are done; None if that was enough.

    Blocks are enough when each primary comparison and each guard of the workload (of the curve, if it is a point of
    one) is decided, or cannot be decided by more of them. Other workloads may be measured or not: the correction counts
    them either way, and what decides here still decides when they are in. A fixed design never needs more.
    """
    if design.blocks != "auto":
        return None
    rows = judge(metrics[metrics["workload"].isin(design.measured_with(workload))], design, attrition)
    judged = design.judged_as(workload)
    here = [row for row in rows if row.workload == judged and row.family != "work" and not row.gated]
    verdicts = [row.verdict for row in here if row.family == "primary"]
    return next_look(blocks, verdicts + [INCONCLUSIVE for row in here if row.guard_outcome == UNTOLD])


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
    return Comparison(
        design.experiment, workload, *pair, metric, family=_family(design, pair, workload, metric),
        level=level_of(design.blocks), correction="none", voided=attrition.voided.get(workload, 0),
    )  # fmt: skip


def _family(design: Design, pair: Pair, workload: str, metric: str) -> Family:
    if quantity(metric).counted:
        return "work"
    if design.is_control(pair):
        return "control"
    if metric not in design.primary:
        return "exploratory"
    return "primary" if workload in design.judged else "point"


def _compared(
    runs: pd.DataFrame, row: Comparison, design: Design, attrition: Attrition, short: Shortfalls
) -> Comparison:
    """What the runs of one workload and metric say of one contrast, not yet corrected for the others."""
    row = replace(row, unit=str(runs["unit"].iloc[0]), better=runs["better"].iloc[0])
    pair = (row.baseline, row.variant)
    if failure := attrition.failure(pair, row.workload):
        return row.settled(FAILED, failure)
    before, after = (runs[runs["variant"] == name].set_index("block") for name in pair)
    values = pd.concat([before["value"], after["value"]], axis=1, join="outer").set_axis(
        ["before", "after"], axis=1
    )
    pairs = values.dropna()
    row = _with_typical(replace(row, blocks=len(pairs)), pairs)
    if quantity(row.metric).counted:
        return counting.compared(row, values, design.threshold)
    hidden = tail_reason(row.metric, [*_tails(before), *_tails(after)])
    if hidden or pairs.empty:
        ran = values.index.isin(before.index) & values.index.isin(after.index)
        what = "a number" if ran.any() else "runs"
        return row.settled(INCONCLUSIVE, hidden or f"no block with {what} of both variants")
    try:
        ratio = interval(pairs["before"], pairs["after"], level_of(design.blocks))
        beside = spread(pairs["before"], pairs["after"], runs["better"].iloc[0])
    except NoRatioError as error:
        return row.settled(INCONCLUSIVE, str(error))
    row = replace(row, **vars(ratio), **vars(beside))
    unexplained = values.index.difference(pairs.index).difference(list(attrition.lost_by(pair, row.workload)))
    if len(unexplained):
        # A verdict from the blocks that are left would be one on the survivors.
        lost = f"one side has no value in {len(unexplained)} of {len(values)} blocks"
        row = row.settled(INCONCLUSIVE, lost)
    said = list(caveats(runs, pair, design, attrition))
    if carried := carry_over(before, after):
        if carried.hides(ratio):
            row = row.settled(INCONCLUSIVE, f"{carried.words}: `design: blocks` measures that")
        else:
            said.append(f"{carried.words}, which is less than the difference")
    return row.noted(*said, *overload(row.metric, row.workload, pair, short))


def _with_typical(row: Comparison, pairs: pd.DataFrame) -> Comparison:
    """What both sides come to by themselves, in the unit of the metric."""
    if pairs.empty:
        return row
    before, after = (float(pairs[side].median()) for side in ("before", "after"))
    return replace(row, typical_baseline=before, typical=after)


def _tails(runs: pd.DataFrame) -> list[float]:
    """I/Os beyond the percentile in each run; NaN where unknown."""
    return runs["tail_ios"].astype(float).tolist() if "tail_ios" in runs else [math.nan] * len(runs)


def _missing(metrics: pd.DataFrame, design: Design, attrition: Attrition) -> Iterator[Comparison]:
    """Primary comparisons that no run speaks of: all variants failed, or nothing yields the metric.

    Of a point only that all failed there: what else it lacks, its curve says.
    """
    measured, timed = set(metrics["metric"]), set(metrics["workload"])
    every = dict.fromkeys((*design.judged, *design.workloads))
    planned = ((name, metric) for name in every for metric in design.primary_of.get(name, design.primary))
    for (workload, metric), pair in product(planned, design.pairs):
        # A metric that this workload has none of, but another has, is no gap: reads do not write.
        if workload in timed and metric in measured:
            continue
        row, failure = _blank(design, attrition, pair, workload, metric), attrition.failure(pair, workload)
        if failure:
            yield row.settled(FAILED, failure)
        elif workload in design.judged:
            yield row.settled(INCONCLUSIVE, "not measured")


def _guarded(
    rows: list[Comparison], metrics: pd.DataFrame, design: Design, attrition: Attrition
) -> list[Comparison]:
    """`rows` with the outcomes of guards, and rows of guards that no run speaks of."""
    if not design.guards:
        return rows
    measured = set(metrics["metric"])
    blanks = []
    for guard in guards.without_a_row(rows, design):
        pair = (guard.baseline, guard.variant)
        row = _blank(design, attrition, pair, guard.workload, guard.metric)
        failure = attrition.failure(pair, guard.workload)
        blanks.append(row.settled(FAILED, failure) if failure else _unmeasured(row, metrics, measured))
    return guards.guarded(rows, blanks, metrics, design)


def _unmeasured(row: Comparison, metrics: pd.DataFrame, measured: set[str]) -> Comparison:
    """A counter of which no run has any, where all of its kind were counted, is 0 on both sides."""
    whole = quantity(row.metric).part_of
    if whole and ((metrics["workload"] == row.workload) & (metrics["metric"] == whole)).any():
        return replace(row, verdict=NO_DIFFERENCE, better="lower", note="no run has any")
    other = row.metric.removesuffix(PER_OP) if row.metric.endswith(PER_OP) else row.metric + PER_OP
    meant = f": `{other}` is, state the guard on that" if other in measured else ""
    return row.settled(INCONCLUSIVE, f"`{row.metric}` is not measured under `{row.workload}`{meant}")


def _judged_together(rows: Sequence[Comparison], design: Design) -> list[list[Comparison]]:
    """The rows of one family by what they are corrected with: points with those of their curve, others with all."""
    parts: dict[str, list[Comparison]] = {}
    for row in rows:
        parts.setdefault(design.judged_as(row.workload) if row.family == "point" else "", []).append(row)
    return list(parts.values())


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
        if family != "control":
            what = "points of a curve" if family == "point" else family
            correction = f"Benjamini-Hochberg over {len(claims)}, {what}"
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


def _remarks(row: Comparison, design: Design, size: int) -> Iterator[str]:
    """What a reader must know to understand the verdict beside its interval. `size` is that of the primary family."""
    level, resolution = level_of(design.blocks), quantity(row.metric).resolution
    least = least_blocks(size, design.blocks)
    if row.family == "primary" and row.ratio_low is not None and row.blocks < least:
        yield (
            f"{row.blocks} blocks decide none of {size} comparisons, however large the differences are "
            f"({least} might)"
        )
    elif row.ratio is not None and row.p is not None and row.p_adjusted is not None and differs(row.p, level):
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
