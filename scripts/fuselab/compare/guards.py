"""Guards: whether a metric got worse by more than was said beforehand that it may, by a one-sided bound.

The bound at level 1 - a is that end of the signed-rank interval at level 1 - 2a on which a metric is worse: what lies
beyond it is refused by the one-sided signed-rank test at a. A guard *holds* where the bound keeps to the limit, is
*broken* where the bound from the other side lies beyond it, and otherwise nothing can be told. Where all of several
guards must hold, each at its level is enough (Berger 1982); a change of nothing breaks one only where noise makes it
larger than its limit for sure.

What is counted follows the rule of `counting`: where each side repeats its count, that decides, and where more lies
between the allowed counts and the variant's than within either, so does that.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from fuselab.compare import counting
from fuselab.compare.schedule import level_of
from fuselab.compare.signed_rank import Floats, infer
from fuselab.records.comparison import BROKEN, FAILED, HOLDS, INCONCLUSIVE, NO_DIFFERENCE, UNTOLD, Comparison
from fuselab.records.design import Design, Guard
from fuselab.records.metrics import Better
from fuselab.workloads import quantity


def bounds(logs: Floats, level: float) -> tuple[float, float] | None:
    """The two one-sided bounds, each at `level`, of the typical one of `logs`; None of too few for it."""
    found = infer(logs, 2 * level - 1)
    return None if found.low is None or found.high is None else (found.low, found.high)


def limit_ratio(limit: float, better: Better) -> float:
    """The ratio that is worse by `limit`, a fraction: of a time 1.25, of a rate 0.75."""
    return 1 + limit if better == "lower" else 1 - limit


def timed(
    before: Floats, after: Floats, limit: float, better: Better, level: float
) -> tuple[str, float | None]:
    """The outcome for paired runs, all positive, and the bound on the ratio that decides it."""
    # Of a rate the inverse: worse is more, then.
    logs = np.log(after / before if better == "lower" else before / after)
    allowed = abs(np.log(limit_ratio(limit, better)))
    found = bounds(logs, level)
    if found is None:
        return UNTOLD, None
    low, high = found
    outcome = BROKEN if low > allowed else HOLDS if high < allowed else UNTOLD
    end = low if outcome == BROKEN else high
    return outcome, float(np.exp(end if better == "lower" else -end))


def counted(before: Floats, after: Floats, limit: float) -> tuple[str, float | None]:
    """The outcome for counts of the same work, and the bound on the ratio where they scatter."""
    allowed = before * (1 + limit)
    if not np.ptp(before) and not np.ptp(after):
        return (HOLDS if after[0] <= allowed[0] else BROKEN), None
    if counting.apart(allowed, after):
        return (BROKEN if after.min() > allowed.max() else HOLDS), None
    if (before > 0).all() and (after > 0).all():
        return timed(before, after, limit, "lower", counting.LEVEL)
    found = bounds(after - allowed, counting.LEVEL)
    if found is None:
        return UNTOLD, None
    return (BROKEN if found[0] > 0 else HOLDS if found[1] < 0 else UNTOLD), None


def guarded(
    rows: Sequence[Comparison], blanks: Sequence[Comparison], metrics: pd.DataFrame, design: Design
) -> list[Comparison]:
    """`rows` with what each guard of the design comes to; `blanks` are rows of guards that have none among them."""
    limits = {_of(guard): guard for guard in design.guards}
    values = _values(metrics, {guard.metric for guard in design.guards})
    found = [(row, limits.get(_of(row))) for row in (*rows, *blanks)]
    return [row if guard is None else _judged(row, guard, values, design) for row, guard in found]


def _values(metrics: pd.DataFrame, names: set[str]) -> dict[tuple[str, str, str], pd.Series[float]]:
    """By (workload, metric, variant): the runs' values by block."""
    kept = metrics[metrics["metric"].isin(names)]
    return {
        (str(w), str(m), str(v)): runs.set_index("block")["value"]
        for (w, m, v), runs in kept.groupby(["workload", "metric", "variant"], sort=False)
    }


def _judged(
    row: Comparison, guard: Guard, values: dict[tuple[str, str, str], pd.Series[float]], design: Design
) -> Comparison:
    outcome, bound = UNTOLD, None
    usable = not (row.gated and row.word == INCONCLUSIVE)
    if row.word == FAILED:
        outcome = BROKEN
    elif usable and not row.blocks and row.word == NO_DIFFERENCE:  # neither side makes any
        outcome = HOLDS
    elif usable and row.better:
        sides = [values[row.workload, row.metric, name] for name in (row.baseline, row.variant)]
        pairs = pd.concat(sides, axis=1, join="inner").dropna().to_numpy(dtype=float)
        before, after = pairs[:, 0], pairs[:, 1]
        if quantity(row.metric).counted:
            outcome, bound = counted(counting.rounded(before), counting.rounded(after), guard.limit)
        elif row.ratio is not None:
            outcome, bound = timed(before, after, guard.limit, row.better, level_of(design.blocks))
    return replace(row, guard=guard.limit, guard_bound=bound, guard_outcome=outcome)


def without_a_row(rows: Sequence[Comparison], design: Design) -> Iterator[Guard]:
    """Guards of which nothing was measured, or whose variant failed."""
    there = set(map(_of, rows))
    return (guard for guard in design.guards if _of(guard) not in there)


def _of(each: Comparison | Guard) -> tuple[str, str, str, str]:
    """What it speaks of."""
    return each.workload, each.baseline, each.variant, each.metric
