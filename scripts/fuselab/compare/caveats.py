"""What a reader should know before believing a verdict that was given all the same, and why a tail is not shown at all.

None of this looks at how large the ratio is or whom it favours.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress

import pandas as pd

from fuselab.compare.attrition import Attrition
from fuselab.compare.multiple_testing import differs
from fuselab.compare.rates import fisher_p
from fuselab.compare.schedule import level_of, minimum_blocks
from fuselab.compare.signed_rank import NoRatioError, infer, interval
from fuselab.records.design import Design, Pair
from fuselab.words import by_factor
from fuselab.workloads import quantity
from fuselab.workloads.metric import TAIL_IOS


def caveats(runs: pd.DataFrame, pair: Pair, design: Design, attrition: Attrition) -> Iterator[str]:
    """Of the `runs` of one workload and metric, as far as they speak of `pair`.

    Columns, each optional: `slope` (ln of throughput in the second half of a run / in the first, NaN where
    unknown), `noisy` (the block was kept though void), `busy_start` (the run waited for a quiet machine in vain),
    `runs` (how many runs a row stands for: a curve's for one at each point, of which `busy_start` is the count).
    """
    yield from _failures(pair, str(runs["workload"].iloc[0]), attrition)
    runs = runs[runs["variant"].isin(pair)]
    if "noisy" in runs and (noisy := runs.loc[runs["noisy"].astype(bool), "block"].nunique()):
        if noisy == runs["block"].nunique():
            # A table cuts a note that is long: its first words must not say the opposite.
            yield "no block had a quiet machine"
        else:
            yield f"the machine was never quiet for {noisy} of the blocks"
            yield from _quiet_alone(runs[~runs["noisy"].astype(bool)], pair, design)
    if "busy_start" in runs and (busy := int(runs["busy_start"].sum())):
        total = int(runs["runs"].sum()) if "runs" in runs else len(runs)
        yield f"the machine was not quiet before {busy} of {total} runs, which started all the same"
    if "slope" in runs:
        for name in pair:
            slopes = runs.loc[runs["variant"] == name, "slope"].dropna().tolist()
            if (change := _slope(slopes, design)) is not None:
                word = "rises" if change > 0 else "falls"
                yield (
                    f"not level: throughput of `{name}` {word} by {abs(change):.0%} from the first to the second "
                    f"half of a run (typical of {len(slopes)}), so the ratio depends on how long a run is"
                )


def _failures(pair: Pair, workload: str, attrition: Attrition) -> Iterator[str]:
    """How often a side failed; what is compared are the runs that it completed."""
    for name in pair:
        rates = (attrition.failure_rates.get((name, where)) for where in ("", workload))
        yield from (f"`{name}` {rate}" for rate in rates if rate)
    if lost := attrition.lost_by(pair, workload):
        yield f"compared are the runs that both completed, not those of {len(lost)} blocks"
    first, second = (attrition.tallies.get((name, workload)) for name in pair)
    if first is not None and second is not None and first.failed + second.failed:
        yield (
            f"blocks in which a run failed: `{pair[1]}` {second}, `{pair[0]}` {first} "
            f"(Fisher's exact test: p = {fisher_p(first, second):.2g})"
        )


def _quiet_alone(runs: pd.DataFrame, pair: Pair, design: Design) -> Iterator[str]:
    """What the blocks say that were not noisy: marked blind to the variants, so that either answer is a fair one."""
    wide = runs.pivot(index="block", columns="variant", values="value").reindex(columns=list(pair)).dropna()
    if len(wide) < minimum_blocks(level_of(design.blocks)):
        said = "other alone is" if len(wide) == 1 else f"{len(wide)} others alone are"
        yield f"the {said} too few for an interval"
        return
    with suppress(NoRatioError):  # which the verdict says
        quiet = interval(wide[pair[0]], wide[pair[1]], level_of(design.blocks))
        assert quiet.ratio_low is not None  # there are enough blocks for both ends
        assert quiet.ratio_high is not None
        ratios = (quiet.ratio, quiet.ratio_low, quiet.ratio_high)
        as_factors = by_factor(*ratios)
        said, low, high = (f"{ratio:.2g} ×" if as_factors else f"{ratio - 1:+.1%}" for ratio in ratios)
        yield f"the {quiet.blocks} others alone give {said} ({low} to {high})"


Shortfalls = Mapping[tuple[str, str, str], float]
"""(workload, variant, direction) -> share of the rate asked for that it reached, where that was too little."""
KEPT_UP = 0.95


def shortfalls(metrics: pd.DataFrame, design: Design) -> Shortfalls:
    """Variants that did not keep up with a load of a fixed rate: their typical (median) run stayed below it."""
    short = {}
    for workload, rates in design.fixed_rates.items():
        for metric, rate in rates.items():
            runs = metrics[(metrics["workload"] == workload) & (metrics["metric"] == metric)]
            for variant, reached in runs.groupby("variant")["value"].median().items():
                if reached < KEPT_UP * rate:
                    short[workload, str(variant), quantity(metric).side] = float(reached / rate)
    return short


def overload(metric: str, workload: str, pair: Pair, short: Shortfalls) -> Iterator[str]:
    """What to say of a tail under a rate that one side did not keep up with."""
    if not quantity(metric).is_tail:
        return
    for name in pair:
        share = short.get((workload, name, quantity(metric).side))
        if share is not None:
            yield (
                f"overloaded: `{name}` reached {share:.0%} of the rate that the load asked for, so requests that "
                "would have queued behind a slow one are not in this tail"
            )


def _slope(slopes: list[float], design: Design) -> float | None:
    """The typical change within a run as a fraction, where it is more than chance and more than what matters."""
    level = level_of(design.blocks)
    if len(slopes) < minimum_blocks(level):
        return None
    typical = infer(slopes, level)
    change = math.expm1(typical.estimate)
    return change if differs(typical.p, level) and abs(change) > design.threshold else None


def tail_reason(metric: str, tail_ios: Iterable[float]) -> str | None:
    """Why a percentile is not shown, by the I/Os beyond it in each run (NaN: unknown); None if it is."""
    if quantity(metric).percentile is None:
        return None
    counts = list(tail_ios)
    if unknown := sum(map(math.isnan, counts)):
        return f"not shown: number of I/Os beyond this percentile unknown in {unknown} of {len(counts)} runs"
    if few := sum(count < TAIL_IOS for count in counts):
        return f"not shown: fewer than {TAIL_IOS} I/Os beyond this percentile in {few} of {len(counts)} runs"
    return None


def closed_loop_caveat(metric: str, closed_loop: bool) -> str | None:
    """What to say of a tail under a load that waits for each reply before it goes on."""
    if closed_loop and quantity(metric).is_tail:
        return "closed-loop load: requests that would have queued behind a slow one are not in this tail"
    return None
