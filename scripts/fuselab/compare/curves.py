"""A curve as one thing to judge: of each block the geometric mean over its points.

The ratio of two such means is the mean log ratio over the points, so that a curve is judged by the rule of any other
load, and a block of it is one number.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from fuselab.compare.attrition import Attrition, FailedVariant
from fuselab.workloads import quantity

_RUN = ["metric", "variant", "block"]


Curves = Mapping[str, tuple[str, ...]]
"""Curve -> the workloads that are its points."""


def with_curves(metrics: pd.DataFrame, curves: Curves) -> pd.DataFrame:
    """`metrics` and behind them, as if they had been measured, those of every curve.

    A block in which a point has no value of a variant has no mean: NaN, which is counted as missing. What is counted
    is said of each point alone. `runs` is how many runs a row stands for: those of all points, of a curve.
    """
    metrics = metrics.assign(runs=1)
    parts = [_means(metrics, curve, points) for curve, points in curves.items()]
    parts = [part for part in parts if not part.empty]
    return pd.concat([metrics, *parts], ignore_index=True) if parts else metrics


def _means(metrics: pd.DataFrame, curve: str, points: tuple[str, ...]) -> pd.DataFrame:
    timed = ~metrics["metric"].map(lambda metric: quantity(metric).counted).astype(bool)
    here = metrics[metrics["workload"].isin(points) & timed]
    if here.empty:
        return here
    runs = here.assign(value=np.log(here["value"].where(here["value"] > 0))).groupby(_RUN, sort=False)
    means = runs.first().assign(workload=curve)
    whole = (runs["value"].count() == len(points)) & (runs.size() == len(points))
    means["value"] = np.exp(runs["value"].mean()).where(whole)
    for column, rule in (("tail_ios", _least), ("noisy", "max"), ("busy_start", "sum")):
        if column in here:
            means[column] = runs[column].agg(rule)
    means["runs"] = runs.size()
    if "slope" in here:  # of a point, and said there
        means["slope"] = np.nan
    return means.reset_index()[list(metrics.columns)]


def _least(counts: pd.Series[float]) -> float:
    """NaN where one is unknown."""
    return float(counts.astype(float).min(skipna=False))


def losses(attrition: Attrition, curves: Curves) -> Attrition:
    """What was lost at points is lost to their curves too: who failed at one has none."""
    of = {point: curve for curve, points in curves.items() for point in points}
    failed = [
        FailedVariant(_at(one.reason, one.workload), one.variant, of[one.workload])
        for one in attrition.failed
        if one.workload in of
    ]
    voided, lost, rates = dict(attrition.voided), dict(attrition.lost), dict(attrition.failure_rates)
    for point, count in attrition.voided.items():
        if point in of:
            voided[of[point]] = voided.get(of[point], 0) + count
    for (variant, point), blocks in attrition.lost.items():
        if point in of:
            key = variant, of[point]
            lost[key] = lost.get(key, frozenset()) | blocks
    for (variant, point), rate in attrition.failure_rates.items():
        if point in of:
            key = variant, of[point]
            rates[key] = "; ".join(filter(None, (rates.get(key), _at(rate, point))))
    return replace(
        attrition, failed=(*attrition.failed, *failed), voided=voided, lost=lost, failure_rates=rates
    )


def _at(reason: str, point: str) -> str:
    """The reason with the point in its first line: what follows are last words."""
    line, _, rest = reason.partition("\n")
    return f"{line} (under `{point}`)" + (f"\n{rest}" if rest else "")
