"""Change points against planted steps, against series in which nothing changes, and against plain enumeration."""

import itertools
from collections.abc import Sequence

import numpy as np
import pytest

from fuselab.history.change_points import (
    ALPHA,
    FEWEST_IN_ALL,
    FEWEST_NIGHTS,
    PENALTIES,
    change_points,
    level_starts,
    penalty,
)

NOISE = 0.03
STEP = np.log(1.05)


def nights(count: int, seed: int) -> np.ndarray:
    """ln of the ratios of a noisy machine's nights."""
    return np.random.default_rng(seed).normal(0, NOISE, count)


def enumerated_starts(ranks: np.ndarray, price: float) -> list[int]:
    """Every way to cut the series, one by one."""
    count, variance = len(ranks), len(ranks) * (len(ranks) + 1) / 12

    def paid(starts: Sequence[int]) -> float:
        bounds = [0, *starts, count]
        parts = [ranks[a:b] for a, b in itertools.pairwise(bounds)]
        if any(len(part) < FEWEST_NIGHTS for part in parts):
            return -np.inf
        return float(sum(part.sum() ** 2 / len(part) for part in parts) - len(starts) * price * variance)

    cuts = (itertools.combinations(range(1, count), many) for many in range(4))
    return list(max(itertools.chain.from_iterable(cuts), key=lambda cut: paid(tuple(cut))))


@pytest.mark.parametrize("seed", range(5))
def test_levels_are_the_best_of_all_ways_to_cut(seed: int):
    rng = np.random.default_rng(seed)
    values = rng.normal(0, 1, 16) + np.repeat([0, 3, 0, 3], 4)
    ranks = values.argsort().argsort() + 1.0
    assert level_starts(ranks, 2.0) == enumerated_starts(ranks, 2.0)


def test_a_step_is_found_on_its_night():
    values = nights(60, 2) / 5
    values[40:] += STEP
    (change,) = change_points(values)
    assert (change.index, change.first, change.last) == (40, 40, 40)


def test_where_the_night_cannot_be_told_the_plausible_ones_are():
    held, width = [], []
    for seed in range(100):
        values = nights(90, 300 + seed)
        values[60:] += STEP
        for change in change_points(values):
            held.append(change.first <= 60 <= change.last)
            width.append(change.last - change.first)
    assert np.mean(held) > 0.85
    assert 2 < np.mean(width) < 20


@pytest.mark.parametrize("counts", [(10, 10, 10), (30, 14, 30), (60, 14, 60)])
def test_a_slowdown_that_was_repaired_is_two_changes(counts: tuple[int, int, int]):
    before, slow, _ = counts
    values = nights(sum(counts), 5) / 6
    values[before : before + slow] -= 2 * STEP
    assert [change.index for change in change_points(values)] == [before, before + slow]


def test_a_step_of_the_last_five_nights_is_seen_on_a_quiet_machine():
    values = nights(60, 4) / 5
    values[55:] += STEP
    assert [change.index for change in change_points(values)] == [55]


def test_one_wild_night_is_no_change():
    values = nights(40, 5)
    values[20] += 100 * STEP
    assert change_points(values) == ()


@pytest.mark.parametrize("count", [10, 40, 90])
def test_where_nothing_changes_a_look_is_wrong_as_often_as_it_says(count: int):
    series = 1000
    found = sum(bool(change_points(nights(count, 100 + seed))) for seed in range(series))
    assert found / series <= ALPHA + 3 * np.sqrt(ALPHA * (1 - ALPHA) / series)


def test_the_fewest_nights_can_show_a_change_and_one_fewer_claims_nothing():
    half = FEWEST_IN_ALL // 2
    clear = [0.0] * half + [1.0] * (FEWEST_IN_ALL - half)
    assert [change.index for change in change_points(np.arange(FEWEST_IN_ALL) / 100 + clear)] == [half]
    assert change_points(clear[1:]) == ()


def test_the_price_of_a_change_grows_with_the_nights():
    assert [penalty(count) for count in PENALTIES] == pytest.approx(list(PENALTIES.values()))
    assert penalty(45) == pytest.approx((PENALTIES[40] + PENALTIES[50]) / 2, abs=0.05)


def test_equal_nights_have_no_change():
    assert change_points([0.0] * 50) == ()
    assert change_points([]) == ()
