"""More work or less: what repeats is a fact, what scatters is judged, and chance names nothing."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from tests.bench import simulate_counts
from tests.bench.simulate_counts import COUNTS

from fuselab.compare.comparisons import judge
from fuselab.compare.counting import FEWEST, apart, apart_p
from fuselab.records.comparison import Comparison
from fuselab.records.design import Design

DESIGN = Design("counted", "baseline", (("baseline", "variant"),), ("write",), ("write.bw",))
RUNS = 8
Runs = Mapping[str, Sequence[float]]
"""Variant -> what each of its runs counted."""


def frame(counters: Mapping[str, Runs], workload: str = "write") -> pd.DataFrame:
    rows = [
        ("counted", workload, block, variant, metric, "1", value, "lower")
        for metric, runs in counters.items()
        for variant, values in runs.items()
        for block, value in enumerate(values, 1)
    ]
    columns = ["experiment", "workload", "block", "variant", "metric", "unit", "value", "better"]
    return pd.DataFrame(rows, columns=columns)


def judged(counters: Mapping[str, Runs], design: Design = DESIGN) -> dict[str, Comparison]:
    return {row.metric: row for row in judge(frame(counters), design) if row.family == "work"}


def one(baseline: Sequence[float], variant: Sequence[float]) -> Comparison:
    return judged({"work.pwrite64_per_op": {"baseline": baseline, "variant": variant}})[
        "work.pwrite64_per_op"
    ]


def test_one_more_call_in_every_run_is_more_work_and_says_from_what_to_what():
    found = one([0.0] * RUNS, [1.0] * RUNS)
    assert (found.verdict, found.typical_baseline, found.typical, found.ratio) == (
        "more work",
        0.0,
        1.0,
        None,
    )
    assert (found.blocks, found.p) == (RUNS, apart_p(RUNS))


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [
        (3.0, 4.0, "more work"),
        (4.0, 3.0, "less work"),
        (1.0, 0.0, "less work"),
        (100.0, 101.0, "more work, below threshold"),
        (1.0, 1.01, "more work, below threshold"),
        (7.0, 7.0, "no difference shown"),
        (0.0, 0.0, "no difference shown"),
    ],
)
def test_a_counter_that_repeats_differs_if_it_differs(before: float, after: float, verdict: str):
    assert one([before] * RUNS, [after] * RUNS).verdict == verdict


def test_the_same_count_of_other_operations_is_the_same():
    assert one([1164 / 388] * RUNS, [0.1 * 3 / 0.1] * RUNS).verdict == "no difference shown"


def test_a_counter_is_named_where_more_lies_between_the_sides_than_within_either():
    before = [2541, 2523, 2533, 2540, 2529, 2537, 2526, 2544]
    after = [count + 128 for count in reversed(before)]
    found = one(before, after)
    assert (found.verdict, found.note) == (
        "more work",
        "more lies between the two than within either",
    )
    assert found.correction == "none"
    assert found.ratio == pytest.approx(1 + 128 / 2533, rel=1e-3)
    assert found.ratio_low is not None
    assert found.ratio_high is not None
    assert 1 < found.ratio_low < found.ratio_high < 1.06
    # One run in which something else happened takes that away.
    assert one([*before[:-1], 2600], after).correction == "Holm over the 1 that scatter"


def test_an_event_in_a_hundred_operations_is_seen_beside_one_that_happens_now_and_then():
    now_and_then = [0.0, 0.0078125, 0.0, 0.0, 0.0, 0.0078125, 0.0, 0.0]
    assert one([0.0] * RUNS, [0.01] * RUNS).verdict == "more work"
    assert one(now_and_then, [0.03125] * RUNS).verdict == "more work"
    assert one(now_and_then, [0.0078125] * RUNS).verdict == "inconclusive"


def test_what_scatters_is_judged_by_blocks_and_pays_for_the_others():
    scattering = {"baseline": [9, 8, 11, 10, 12, 9, 10, 11], "variant": [10, 11, 9, 8, 12, 10, 9, 11]}
    mixed = {"baseline": [9, 8, 10, 9, 8, 9, 10, 12], "variant": [11, 13, 12, 14, 13, 12, 15, 13]}
    found = judged({"work.mixed_per_op": mixed, "work.call_per_op": scattering})["work.mixed_per_op"]
    assert (found.verdict, found.correction) == ("inconclusive", "Holm over the 2 that scatter")
    logs = np.log(np.array(mixed["variant"]) / np.array(mixed["baseline"]))
    assert found.p == stats.wilcoxon(logs, method="exact").pvalue == 2 / 2**8
    # Alone in its family it may say so.
    alone = judged({"work.mixed_per_op": mixed})["work.mixed_per_op"]
    assert (alone.verdict, alone.p_adjusted) == ("more work", 2 / 2**8)


def test_what_repeats_does_not_make_the_others_pay():
    exact = {f"work.call{i}_per_op": {"baseline": [1.0] * RUNS, "variant": [1.0] * RUNS} for i in range(9)}
    mixed = {"baseline": [9, 8, 10, 9, 8, 9, 10, 12], "variant": [11, 13, 12, 14, 13, 12, 15, 13]}
    found = judged({**exact, "work.mixed_per_op": mixed})["work.mixed_per_op"]
    assert (found.verdict, found.correction) == ("more work", "Holm over the 1 that scatter")


def test_what_scatters_around_nothing_has_no_ratio_and_still_a_direction():
    found = one([0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0], [2.0, 3.0, 2.0, 3.0, 2.0, 1.5, 2.0, 3.0])
    assert (found.verdict, found.ratio) == ("more work", None)
    assert one([2.0, 3.0, 2.0, 3.0, 2.0, 1.5, 2.0, 3.0], [0.0, 0.0, 1.0] + [0.0] * 5).verdict == "less work"


@pytest.mark.parametrize("metric", ["work.instructions_per_op", "work.service.counter.range_per_op"])
def test_what_was_not_counted_at_all_is_no_nought(metric: str):
    found = judged({metric: {"variant": [1.0] * RUNS}})[metric]
    assert (found.verdict, found.note) == ("inconclusive", "one side was not counted in 8 of 8 blocks")


def test_runs_that_are_missing_are_said_and_decide_nothing():
    found = one([1.0] * RUNS, [2.0] * (RUNS - 1))
    assert (found.verdict, found.note) == ("inconclusive", "one side was not counted in 1 of 8 blocks")


@pytest.mark.parametrize("after", [[2.0] * 5, [2.0, 2.1, 2.2, 2.3, 2.4]])
def test_too_few_runs_claim_nothing(after: Sequence[float]):
    found = one([1.0] * 5, after)
    assert (found.verdict, found.note) == ("inconclusive", f"5 runs of each: a verdict takes {FEWEST}")
    assert one([1.0] * FEWEST, [2.0] * FEWEST).verdict == "more work"


def test_counters_are_no_exploratory_metric_and_no_primary_one():
    timed = frame({"write.bw": {"baseline": [1.0 + i / 99 for i in range(8)], "variant": [2.0] * 8}})
    counted = frame({"work.pwrite64_per_op": {"baseline": [1.0] * 8, "variant": [2.0] * 8}})
    alone = judge(timed, DESIGN)
    both = judge(pd.concat([timed, counted]), DESIGN)
    assert both[:1] == alone
    assert [row.family for row in both] == ["primary", "work"]


def test_every_metric_says_what_is_typical_of_each_side():
    found = judge(
        frame({"write.bw": {"baseline": [100.0, 102, 98] * 4, "variant": [50.0, 51, 52] * 4}}), DESIGN
    )
    assert (found[0].typical_baseline, found[0].typical) == (100.0, 51.0)


def test_coins_hold_the_sides_apart_no_oftener_than_stated():
    for runs in (1, 2, 3, 4):
        tosses = np.array(list(product((0.0, 1.0), repeat=2 * runs)))
        split = [toss for toss in tosses if apart(toss[:runs], toss[runs:])]
        assert len(split) / len(tosses) == apart_p(runs)


SHAPES: dict[str, Callable[[np.random.Generator, tuple[int, int]], Any]] = {
    "a coin that falls on one side oftener": lambda rng, shape: (rng.random(shape) < 0.4) * 1.0,
    "two levels that scatter": lambda rng, shape: rng.integers(0, 2, shape) + 0.4 * rng.random(shape),
    "three counts": lambda rng, shape: np.array([0.0, 1.0, 1.9])[rng.choice(3, shape, p=[0.5, 0.25, 0.25])],
    "levels within levels": lambda rng, shape: sum(rng.integers(0, 2, shape) / 3.0**k for k in range(9)),
    "normal": lambda rng, shape: rng.normal(size=shape),
    "long tail": lambda rng, shape: np.exp(2 * rng.normal(size=shape)),
    "rare events": lambda rng, shape: rng.poisson(0.5, shape) * 1.0,
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("runs", [4, RUNS])
def test_no_other_chance_holds_them_apart_oftener(shape: str, runs: int):
    """Of runs in any order, those of one side are the n smallest or the n largest in 2 of C(2n, n) deals."""
    sets = np.sort(SHAPES[shape](np.random.default_rng(11), (40_000, 2 * runs)), axis=1)
    low, high = sets[:, :runs], sets[:, runs:]
    split = (high[:, 0] - low[:, -1]) > np.maximum(np.ptp(low, axis=1), np.ptp(high, axis=1))
    assert split[:50].tolist() == [apart(*pair) for pair in zip(low[:50], high[:50], strict=True)]
    assert split.tolist() == simulate_counts.apart(low, high).tolist()
    share = split.mean()
    probability = share * 2 / math.comb(2 * runs, runs)
    error = 4 * math.sqrt(share * (1 - share) / len(sets)) * 2 / math.comb(2 * runs, runs)
    assert probability <= apart_p(runs) * 1.01 + error


@pytest.mark.parametrize("noise", COUNTS)
def test_twenty_experiments_of_forty_counters_with_nothing_to_find_name_none(noise: str):
    verdicts = simulate_counts.verdicts(COUNTS[noise], counters=40, runs=RUNS, experiments=20, seed=7)
    assert not [word for words in verdicts for word in words if word.startswith(("more", "less"))]
