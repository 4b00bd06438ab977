"""Ratios of paired runs, and what stands beside them."""

import numpy as np
import pytest
from scipy import stats

from fuselab.compare.signed_rank import NoRatioError, interval, spread, stall_rate


def test_a_ratio_is_variant_over_baseline_whatever_the_drift():
    drift = np.linspace(1, 5, 12)
    wobble = np.linspace(0.99, 1.01, 12)
    found = interval(100 * drift, 70 * drift * wobble, 0.95)
    assert found.ratio == pytest.approx(0.7, rel=1e-4)
    assert found.ratio_low is not None
    assert found.ratio_high is not None
    assert 0.69 < found.ratio_low < found.ratio < found.ratio_high < 0.71
    assert (found.blocks, found.level) == (12, 0.95)


def test_p_is_that_of_scipy_on_the_log_ratios():
    rng = np.random.default_rng(1)
    before, after = rng.lognormal(0, 0.2, 12), rng.lognormal(0.15, 0.2, 12)
    assert interval(before, after, 0.95).p == pytest.approx(stats.wilcoxon(np.log(after / before)).pvalue)


@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan, np.inf])
def test_a_value_without_a_ratio_is_an_error_that_counts_the_blocks(bad):
    values = np.array([1.0, 2.0, bad])
    for before, after in ((values, np.ones(3)), (np.ones(3), values)):
        with pytest.raises(NoRatioError, match="1 of 3 blocks"):
            interval(before, after, 0.95)


def test_runs_that_are_not_paired_are_refused():
    with pytest.raises(ValueError, match="paired"):
        interval([1.0, 2.0], [1.0], 0.95)
    with pytest.raises(ValueError, match="paired"):
        interval([], [], 0.95)


def test_outliers_show_beside_a_typical_ratio_that_hides_them():
    before, after = np.full(12, 10.0), np.full(12, 10.0)
    after[[3, 7]] = 30.0
    assert interval(before, after, 0.95).ratio == 1
    beside = spread(before, after, "lower")
    assert (beside.mean_ratio, beside.min_ratio, beside.max_ratio) == pytest.approx((160 / 120, 1, 3))
    assert (beside.stall_rate, beside.stall_rate_baseline) == pytest.approx((2 / 12, 0))


def test_a_stall_is_a_run_twice_as_bad_as_the_median_in_the_direction_of_the_metric():
    values = np.array([10.0, 10.0, 10.0, 4.9, 5.0, 5.1, 19.9, 20.0, 40.0])
    assert stall_rate(values, "higher") == pytest.approx(2 / 9)
    assert stall_rate(values, "lower") == pytest.approx(2 / 9)
    assert stall_rate(np.full(5, 30.0), "lower") == 0
