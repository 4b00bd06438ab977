"""Change points against scipy at every split, against planted steps, and against series in which nothing changes."""

import numpy as np
from scipy import stats

from fuselab.history.change_points import ALPHA, FEWEST_NIGHTS, change_points, split_scores

NOISE = 0.03
STEP = np.log(1.05)


def nights(count: int, seed: int) -> np.ndarray:
    """ln of the ratios of a noisy machine's nights."""
    return np.random.default_rng(seed).normal(0, NOISE, count)


def test_every_split_has_the_z_of_mann_and_whitney():
    values = nights(20, 1)
    scores = split_scores(stats.rankdata(values)[np.newaxis])[0]
    assert len(scores) == 20 - 2 * FEWEST_NIGHTS + 1
    for score, split in zip(scores, range(FEWEST_NIGHTS, 20 - FEWEST_NIGHTS + 1), strict=True):
        p = stats.mannwhitneyu(
            values[:split], values[split:], method="asymptotic", use_continuity=False
        ).pvalue
        assert np.isclose(2 * stats.norm.sf(score), p)


def test_a_step_is_found_on_its_night():
    values = nights(60, 2)
    values[40:] += 3 * STEP
    (change,) = change_points(values)
    assert change.index == 40
    assert change.p <= ALPHA


def test_a_step_and_its_repair_are_two_changes():
    values = nights(90, 3)
    values[30:60] += 3 * STEP
    assert [change.index for change in change_points(values)] == [30, 60]


def test_a_step_of_the_last_five_nights_is_seen_on_a_quiet_machine():
    values = nights(60, 4) / 5
    values[55:] += STEP
    assert [change.index for change in change_points(values)] == [55]


def test_one_wild_night_is_no_change():
    values = nights(40, 5)
    values[20] += 100 * STEP
    assert change_points(values) == ()


def test_where_nothing_changes_a_look_is_wrong_as_often_as_it_says():
    series = 1000
    found = sum(bool(change_points(nights(40, 100 + seed))) for seed in range(series))
    assert found / series <= ALPHA + 3 * np.sqrt(ALPHA * (1 - ALPHA) / series)


def test_equal_nights_and_few_nights_have_no_change():
    assert change_points([0.0] * 50) == ()
    assert change_points([0.0, 0.0, 9.0, 9.0, 9.0]) == ()
    assert change_points([]) == ()
