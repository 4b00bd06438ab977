"""Guards: the bound against scipy's one-sided test, the rule for counts by hand, and what a judged table says."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from fuselab.compare.attrition import Attrition, FailedVariant
from fuselab.compare.comparisons import decide_look, judge
from fuselab.compare.guards import bounds, counted, timed
from fuselab.compare.signed_rank import infer
from fuselab.records.comparison import BROKEN, HOLDS, UNTOLD, Comparison
from fuselab.records.design import Blocks, Design, Guard


def scipys_p(sample: Any, alternative: Any) -> float:
    return float(stats.wilcoxon(sample, alternative=alternative, method="exact").pvalue)


@pytest.mark.parametrize("blocks", [6, 8, 12, 20, 32])
@pytest.mark.parametrize("level", [0.95, 0.978, 0.99])
def test_a_bound_is_where_scipys_one_sided_test_begins_to_refuse(blocks, level):
    rng = np.random.default_rng(blocks)
    for _ in range(15):
        sample = rng.standard_t(3, blocks)
        found = bounds(sample, level)
        if found is None:
            assert 1 / 2**blocks > 1 - level, "the smallest one-sided p there is"
            continue
        for edge, side, outwards in ((found[0], "greater", -1), (found[1], "less", 1)):
            inside, outside = (
                scipys_p(sample - (edge + step * 1e-7), side) for step in (-outwards, outwards)
            )
            assert outside <= 1 - level < inside


def test_a_bound_is_the_end_of_the_interval_that_leaves_out_twice_as_much():
    sample = np.random.default_rng(1).normal(0.1, 0.1, 12)
    whole = infer(sample, 0.9)
    assert bounds(sample, 0.95) == (whole.low, whole.high)


@pytest.mark.parametrize("better", ["lower", "higher"])
@pytest.mark.parametrize(
    ("worse", "outcome"), [(0.0, HOLDS), (0.05, HOLDS), (0.099, UNTOLD), (0.10, UNTOLD), (0.2, BROKEN)]
)
def test_a_time_that_grows_and_a_rate_that_falls_are_held_to_their_limit(better, worse, outcome):
    before, noise = np.geomspace(90, 150, 12), np.exp(np.linspace(-0.03, 0.03, 12))
    after = before * (1 + worse if better == "lower" else 1 - worse) * noise
    said, bound = timed(before, after, 0.10, better, 0.95)
    assert said == outcome
    assert bound is not None
    limit = 1.1 if better == "lower" else 0.9
    beyond = bound > limit if better == "lower" else bound < limit
    assert beyond == (outcome != HOLDS)


def test_better_than_before_never_breaks_a_guard():
    before = np.linspace(90, 110, 12)
    assert timed(before, before / 3, 0.05, "lower", 0.95)[0] == HOLDS
    assert timed(before, before * 3, 0.05, "higher", 0.95)[0] == HOLDS


@pytest.mark.parametrize(
    ("before", "after", "limit", "outcome"),
    [
        ([3] * 8, [3] * 8, 0, HOLDS),
        ([3] * 8, [2] * 8, 0, HOLDS),
        ([3] * 8, [3.0078125] * 8, 0, BROKEN),  # one call more in 128
        ([3] * 8, [4] * 8, 1 / 3, HOLDS),
        ([3] * 8, [4] * 8, 0.33, BROKEN),
        ([0] * 8, [0] * 8, 0, HOLDS),
        ([0] * 8, [1] * 8, 0.5, BROKEN),  # more than nothing is more than any share of it
        ([30, 31] * 4, [40, 41] * 4, 0, BROKEN),
        ([30, 31] * 4, [40, 41] * 4, 0.5, HOLDS),
        ([30, 31] * 4, [30, 31] * 4, 0, UNTOLD),
        ([30, 31] * 4, [30, 31] * 4, 0.10, HOLDS),
        ([0, 1] * 4, [0, 1] * 4, 0, UNTOLD),
        ([0, 1] * 4, [1, 1] * 4, 0, UNTOLD),
        ([0, 1] * 4, [3, 5] * 4, 0, BROKEN),
    ],
)
def test_what_is_counted_by_hand(before, after, limit, outcome):
    assert counted(np.array(before, float), np.array(after, float), limit)[0] == outcome


def table(**values: list[float]) -> pd.DataFrame:
    """metrics.csv of `variant__metric=values`, `.` written as `_dot_`."""
    rows = [
        ("e", "load", block, *key.replace("_dot_", ".").split("__"), "s", value, "lower")
        for key, found in values.items()
        for block, value in enumerate(found, start=1)
    ]
    names = ["experiment", "workload", "block", "variant", "metric", "unit", "value", "better"]
    return pd.DataFrame(rows, columns=names)


def design(*guards: tuple[str, float], blocks: Blocks = 12) -> Design:
    return Design(
        "e", "old", (("old", "new"),), ("load",), ("t",), blocks=blocks,
        guards=tuple(Guard("load", "old", "new", metric, limit) for metric, limit in guards),
    )  # fmt: skip


def noisy(factor: float, sd: float = 0.01, runs: int = 12) -> list[float]:
    return list(np.random.default_rng(int(1000 * factor)).lognormal(np.log(factor), sd, runs))


def outcomes(rows: list[Comparison]) -> dict[str, str]:
    return {row.metric: row.guard_outcome for row in rows if row.guard is not None}


def test_what_nobody_guards_has_no_guard():
    rows = judge(table(old__t=noisy(1), new__t=noisy(1.01)), design())
    assert [(row.guard, row.guard_bound, row.guard_outcome) for row in rows] == [(None, None, "")]


def test_each_guard_of_a_table_has_its_outcome_whatever_family_its_metric_is_in():
    runs = table(
        old__t=noisy(1), new__t=noisy(1.2), old__other=noisy(3), new__other=noisy(3.02),
        old__work_dot_syscalls_per_op=[3.0] * 8, new__work_dot_syscalls_per_op=[4.0] * 8,
    )  # fmt: skip
    guards = [("t", 0.1), ("other", 0.1), ("work.syscalls_per_op", 0.0), ("work.fdatasync_per_op", 0.0)]
    found = outcomes(judge(runs, design(*guards)))
    # Nobody made an fdatasync, and all system calls were counted: that is none, and no gap.
    assert found == {
        "t": BROKEN, "other": HOLDS, "work.syscalls_per_op": BROKEN, "work.fdatasync_per_op": HOLDS,
    }  # fmt: skip


def test_what_was_not_measured_could_not_be_told_and_the_row_says_what_was():
    runs = table(
        old__t=noisy(1), new__t=noisy(1), old__work_dot_syscalls=[3.0] * 8, new__work_dot_syscalls=[3.0] * 8
    )
    (row,) = [r for r in judge(runs, design(("work.syscalls_per_op", 0.0))) if r.guard is not None]
    assert row.guard_outcome == UNTOLD
    assert "`work.syscalls` is, state the guard on that" in row.note


def test_a_variant_that_failed_has_broken_its_guards():
    runs = table(old__t=noisy(1), new__t=noisy(1), old__other=noisy(1), new__other=noisy(1))
    lost = Attrition((FailedVariant("failed: it hung", "new", "load"),))
    assert outcomes(judge(runs, design(("t", 0.1), ("other", 0.1)), lost)) == {"t": BROKEN, "other": BROKEN}


def test_too_few_runs_tell_nothing():
    assert outcomes(
        judge(table(old__t=noisy(1, runs=4), new__t=noisy(1, runs=4)), design(("t", 0.5), blocks=4))
    ) == {"t": UNTOLD}
    few = table(old__work_dot_syscalls_per_op=[3.0] * 5, new__work_dot_syscalls_per_op=[3.0] * 5)
    assert outcomes(judge(few, design(("work.syscalls_per_op", 0.0)))) == {"work.syscalls_per_op": UNTOLD}


def test_a_guard_that_cannot_be_told_yet_asks_for_more_blocks():
    runs = table(old__t=noisy(1), new__t=noisy(1.3), old__other=noisy(1, 0.05), new__other=noisy(1.05, 0.05))
    assert decide_look(runs, design(blocks="auto"), "load", 12) is None
    assert decide_look(runs, design(("other", 0.05), blocks="auto"), "load", 12) == 20
    assert decide_look(runs, design(("other", 0.9), blocks="auto"), "load", 12) is None
