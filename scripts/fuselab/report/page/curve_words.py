"""What a curve shows beside its verdict, in words: where variants cross, its knee, up to where a limit is kept."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import pandas as pd

from fuselab.compare import curve_findings
from fuselab.compare.caveats import KEPT_UP
from fuselab.compare.curve_findings import Level
from fuselab.records.comparison import DIFFERENT
from fuselab.records.plan import WorkloadPlan
from fuselab.report import words
from fuselab.report.figures.curves import Axis
from fuselab.report.swept import Curve, Slice, point_of
from fuselab.workloads import REGISTRY, quantity

_NUMBER = re.compile(r"(.*?)([0-9]+(?:\.[0-9]+)?)([^0-9]*)")
"""The last of a text, which is what its points differ in: `extend-p99=500us`."""


def sentences(curve: Curve) -> Iterator[str]:
    for each in curve.slices:
        yield from _crossings(curve, each)
        yield from _knees(curve, each)
        yield from _limits(curve, each)


def _crossings(curve: Curve, each: Slice) -> Iterator[str]:
    for metric in (m for m in curve.metrics if m in curve.plan.primary):
        for pair in curve.plan.contrasts:
            rows = [curve.rows.get((w.name, pair.baseline, pair.variant, metric)) for w in each.points]
            ratio = curve.matrix(each, pair.variant, metric) / curve.matrix(each, pair.baseline, metric)
            logs = np.log(ratio.where(ratio > 0).dropna().to_numpy())
            if not len(logs):
                continue
            directions = [
                (1 if row.interval[0] > 1 else -1) if row and row.word in DIFFERENT else 0 for row in rows
            ]
            axis = curve.axis
            for found in curve_findings.crossings(
                axis.values, logs, directions, logarithmic=axis.logarithmic
            ):
                more, less = words.phrase(metric).more, words.phrase(metric).less
                before, after = (more, less) if found.above_before else (less, more)
                yield (
                    f"`{pair.variant}` and `{pair.baseline}` cross in {words.phrase(metric).noun}{each.text} at "
                    f"{curve.axis.label} {place(curve.axis, found.at)} ({place(curve.axis, found.low)} to "
                    f"{place(curve.axis, found.high)}): `{pair.variant}` is {before} below and {after} above."
                )


def _knees(curve: Curve, each: Slice) -> Iterator[str]:
    if not curve.is_of_intensity:
        return
    for side in dict.fromkeys(quantity(metric).side for metric in curve.metrics):
        throughput, latency = curve.first(side, "1/s"), curve.first(side, "ns")
        for variant in curve.variants if throughput and latency else ():
            parts = [curve.matrix(each, variant, str(metric)) for metric in (throughput, latency)]
            whole = pd.concat(parts, axis=1, keys=["fast", "slow"]).dropna()
            if len(whole) and (
                found := curve_findings.knee(whole["fast"].to_numpy(), whole["slow"].to_numpy())
            ):
                yield (
                    f"The knee of `{variant}`{each.text}, where throughput for its latency is most, is at "
                    f"{curve.axis.label} {each.at[found.point].text} (in {words.percent(found.share)} of resamples)."
                )


def _limits(curve: Curve, each: Slice) -> Iterator[str]:
    for metric, limit in point_of(curve.points[0]).limit.items():
        for variant in curve.variants:
            yield _limit(curve, each, variant, metric, limit)


def _limit(curve: Curve, each: Slice, variant: str, metric: str, limit: float) -> str:
    """Up to which value `variant` keeps to it: there and at all before."""
    unit, better = quantity(metric).unit, quantity(metric).better
    said = f"{words.phrase(metric).noun} {'within' if better == 'lower' else 'above'} {words.quantity(limit, unit)}"
    last, stopped, unknown = "", "", False
    for workload, at in zip(each.points, each.at, strict=True):
        level = curve.level_of(workload.name, variant, metric)
        state = curve_findings.kept(level, limit, better)
        where = f"{curve.axis.label} {at.text}"
        if short := _short(curve, workload, variant, metric):
            stopped = f"at {where} it reaches {words.percent(short)} of what is asked"
            break
        if state != "kept" or level is None:
            unknown = state != "broken"
            why = "it cannot be told" + _hidden(curve, level) if unknown else "it does not"
            stopped = f"at {where} {why}{_interval(level, unit)}"
            break
        last = f"`{variant}` keeps {said}{each.text} up to {where}{_interval(level, unit)}"
    if not last and unknown:
        return f"Up to which value `{variant}` keeps {said}{each.text} is not known: {stopped}."
    if not last:
        return f"`{variant}` keeps {said}{each.text} at no value that was measured: {stopped}."
    return f"{last}; {stopped}." if stopped else f"{last}, the last that was measured."


def _hidden(curve: Curve, level: Level | None) -> str:
    return ": too few I/Os lie beyond the percentile, or too few blocks" if level is None else ""


def _short(curve: Curve, workload: WorkloadPlan, variant: str, metric: str) -> float | None:
    """The share of the rate asked for that it reached, where that is too little."""
    rates = REGISTRY[workload.kind].fixed_rates(workload.settings)
    for rate_metric, rate in rates.items():
        values = list(curve.values.get((workload.name, variant, rate_metric), {}).values())
        same = quantity(rate_metric).side == quantity(metric).side
        if same and values and (share := float(np.median(values)) / rate) < KEPT_UP:
            return share
    return None


def place(axis: Axis, value: float) -> str:
    """A place between the points, in the unit of the value below it; of the first that has one above 0."""
    known = [v for v in axis.values if v]  # 0 may stand there without a unit
    below = max((v for v in known if v <= value), default=min(known))
    match = _NUMBER.fullmatch(axis.texts[axis.values.index(below)])
    if match is None:
        return words.number(value)
    return f"{match[1]}{words.number(float(match[2]) * value / below, 2)}{match[3]}"


def _interval(level: Level | None, unit: str) -> str:
    if level is None or level.low is None or level.high is None:
        return ""
    return f" ({words.quantity(level.low, unit)} to {words.quantity(level.high, unit)})"
