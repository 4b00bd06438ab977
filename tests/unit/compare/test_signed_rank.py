"""Estimate, interval and p against scipy, against plain enumeration, and against each other."""

import itertools

import numpy as np
import pytest
from scipy import stats

from fuselab.compare import null_distribution as null
from fuselab.compare.signed_rank import (
    Floats,
    Inference,
    _closed,
    _invert,
    _on_grid,
    _walsh_sums,
    infer,
    sign_flip_p,
    untied_batch,
)

LEVELS = (0.8, 0.95, 0.978, 0.99)


def enumerated_p(differences: Floats | list[float]) -> float:
    """All 2**n sign flips of the signed mid-ranks, one by one."""
    ranks = stats.rankdata(np.abs(differences))
    seen = abs(float((np.sign(differences) * ranks).sum()))
    flips = itertools.product((1, -1), repeat=len(differences))
    sums = [abs(float((np.array(flip) * np.sign(differences) * ranks).sum())) for flip in flips]
    return float(np.mean([value >= seen - 1e-9 for value in sums]))


def scipys_p(sample: Floats) -> float:
    return float(stats.wilcoxon(sample, method="exact").pvalue)


def tied(rng: np.random.Generator, smallest: int = 3, largest: int = 10) -> Floats:
    """A short sample on a coarse grid: ties and zeros in plenty."""
    return np.asarray(rng.integers(-3, 7, rng.integers(smallest, largest + 1)) / 10)


def ends(found: Inference) -> tuple[float, float]:
    assert found.low is not None
    assert found.high is not None
    return found.low, found.high


def test_the_null_distribution_is_that_of_all_flips():
    for ranks in [(2, 4, 6, 8), (3, 3, 6, 9, 9, 12), (5, 5, 5, 5)]:
        sums = [sum(chosen) for k in range(len(ranks) + 1) for chosen in itertools.combinations(ranks, k)]
        expected = [np.mean(np.array(sums) <= t) for t in range(sum(ranks) + 1)]
        assert null.cumulative(ranks) == pytest.approx(expected, abs=1e-15)


def test_critical_values_are_those_of_printed_tables():
    # Two-sided 5 %: any textbook's table of the Wilcoxon signed-rank test.
    assert [null.critical(n, 0.05) for n in (5, 6, 8, 10, 12, 20, 25, 30)] == [-1, 0, 3, 8, 13, 52, 89, 137]
    assert [null.critical(n, 0.01) for n in (7, 8, 10, 12, 20, 30)] == [-1, 0, 3, 7, 37, 109]


@pytest.mark.parametrize("blocks", [1, 2, 5, 6, 7, 12, 20, 32, 70])
def test_p_is_scipys_exact_p_without_ties(blocks):
    rng = np.random.default_rng(blocks)
    for shift in (0, 0.3, 1):
        for _ in range(20):
            sample = rng.normal(shift, 1, blocks)
            expected = scipys_p(sample)
            assert infer(sample, 0.95).p == pytest.approx(expected, rel=1e-9)
            assert sign_flip_p(sample) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("blocks", [6, 7, 12, 20, 32])
def test_the_interval_holds_the_shifts_that_scipy_does_not_reject(blocks):
    rng = np.random.default_rng(100 + blocks)
    for level in LEVELS:
        for _ in range(10):
            sample = rng.standard_t(3, blocks)
            found = infer(sample, level)
            if found.low is None:
                assert 2 / 2**blocks > 1 - level
                continue
            for edge, outwards in zip(ends(found), (-1, 1), strict=True):
                inside = scipys_p(sample - (edge - outwards * 1e-7))
                outside = scipys_p(sample - (edge + outwards * 1e-7))
                assert outside <= 1 - level < inside


def test_the_estimate_is_the_median_of_the_walsh_averages():
    rng = np.random.default_rng(5)
    for sample in (rng.normal(size=12), rng.normal(size=7), tied(rng), np.zeros(8)):
        averages = [(a + b) / 2 for a, b in itertools.combinations_with_replacement(sample, 2)]
        assert infer(sample, 0.95).estimate == pytest.approx(np.median(averages), abs=1e-11)


def test_p_with_ties_and_zeros_is_that_of_all_sign_flips():
    rng = np.random.default_rng(6)
    for _ in range(150):
        sample = tied(rng)
        assert sign_flip_p(sample) == pytest.approx(enumerated_p(sample), abs=1e-12)


def test_p_with_ties_and_zeros_is_scipys_permutation_p():
    rng = np.random.default_rng(7)
    for _ in range(10):
        sample = tied(rng, 7, 10)
        exact = stats.PermutationMethod(n_resamples=2**12)
        expected = stats.wilcoxon(sample, zero_method="pratt", method=exact).pvalue
        assert sign_flip_p(sample) == pytest.approx(expected, abs=1e-12)


def test_an_interval_leaves_out_zero_exactly_where_p_is_at_most_alpha():
    rng = np.random.default_rng(8)
    decided = {True: 0, False: 0}
    samples = [tied(rng, 7, 14) for _ in range(300)] + [rng.normal(0.5, 1, 12) for _ in range(200)]
    for sample in samples:
        for level in LEVELS:
            found = infer(sample, level)
            if found.low is None:
                continue
            excluded = ends(found)[0] > 0 or ends(found)[1] < 0
            assert excluded == (found.p <= 1 - level)
            decided[excluded] += 1
    assert min(decided.values()) > 100


def test_p_never_claims_more_than_the_sign_flip_test():
    rng = np.random.default_rng(9)
    for _ in range(300):
        sample = tied(rng, 5, 14)
        assert infer(sample, 0.95).p >= sign_flip_p(sample) - 1e-12


def test_every_shift_that_the_sign_flip_test_accepts_is_inside():
    rng = np.random.default_rng(10)
    for _ in range(60):
        sample = tied(rng, 7, 12)
        found = infer(sample, 0.95)
        averages = {(a + b) / 2 for a, b in itertools.combinations_with_replacement(sample.tolist(), 2)}
        for shift in averages:
            if sign_flip_p(sample - shift) > 0.05:
                low, high = ends(found)
                assert low - 1e-9 <= shift <= high + 1e-9


def test_both_ways_to_an_interval_agree_where_nothing_ties():
    rng = np.random.default_rng(11)
    for blocks in (7, 12, 20):
        grid = _on_grid(rng.normal(0.2, 1, blocks))
        _, low, high, p = (float(part[0]) for part in untied_batch(grid[None, :], 0.95))
        by_search = _invert(grid, _walsh_sums(grid[None, :])[0], 1 - 0.95)
        assert by_search == pytest.approx((2 * low, 2 * high, p), rel=1e-12)


def test_turning_the_comparison_round_turns_the_interval_round():
    rng = np.random.default_rng(12)
    for sample in [tied(rng, 7, 14) for _ in range(50)] + [rng.normal(0.5, 1, 12) for _ in range(20)]:
        there, back = infer(sample, 0.95), infer(-sample, 0.95)
        assert back.estimate == pytest.approx(-there.estimate)
        assert ends(back) == pytest.approx(tuple(-end for end in reversed(ends(there))))
        assert back.p == pytest.approx(there.p)


def test_too_few_blocks_have_no_interval_at_all():
    sample = [0.1, 0.2, 0.3, 0.4, 0.5]
    found = infer(sample, 0.95)
    assert (found.low, found.high) == (None, None)
    assert found.estimate == pytest.approx(0.3)
    assert found.p == pytest.approx(2 / 2**5)
    assert infer([*sample, 0.6], 0.95).low == pytest.approx(0.1)
    assert infer([0.1] * 6, 0.978).low is None
    assert infer([0.1] * 7, 0.978).low == pytest.approx(0.1)


def test_blocks_that_are_all_equal_leave_nothing_open():
    found = infer(np.zeros(12), 0.95)
    assert (found.estimate, found.low, found.high, found.p) == (0, 0, 0, 1)


def test_ties_are_seen_through_the_rounding_of_logarithms():
    up, down = np.log(3 / 2), np.log(2 / 3)
    assert up != -down
    sample = np.array([up, up, down, 0.01, 0.02, 0.05, 0.06, 0.07])
    assert sign_flip_p(sample) == pytest.approx(enumerated_p([1.0, 1.0, -1.0, 0.01, 0.02, 0.05, 0.06, 0.07]))


@pytest.mark.parametrize("step", [0.5, 1.0])
def test_intervals_of_rounded_values_cover_at_least_their_level(step):
    # The steps are as coarse as the noise: most samples have ties, many have zeros.
    rng = np.random.default_rng(13)
    samples = np.round(rng.normal(0, 1, (1000, 9)) / step) * step
    found = [infer(sample, 0.95) for sample in samples]
    covered = np.mean([low <= 0 <= high for low, high in map(ends, found)])
    # 0.95 is the promise; 2.5 standard errors of 1,000 samples are 0.017.
    assert covered > 0.933


def test_of_many_differences_ties_make_it_no_bolder():
    """The short way, which is taken beyond `_MANY`, against the long one."""
    random = np.random.default_rng(5)
    for centre in (0.0, 0.3, 0.6):
        grid = _on_grid(np.round(random.normal(centre, 1, 30), 1))
        sums = _walsh_sums(grid[None, :])[0]
        low, high, p = _invert(grid, sums, 0.05)
        _, closed_low, closed_high, closed_p = _closed(sums, len(grid), 0.95)
        assert 2 * closed_low <= low <= high <= 2 * closed_high
        assert closed_p >= p - 1e-12
        assert (closed_p <= 0.05) == (closed_low > 0 or closed_high < 0)


@pytest.mark.timeout(120)
def test_hundreds_of_differences_with_ties_are_judged_at_all():
    """Of 300 there are 45,000 shifts, each of which took half a second."""
    found = infer(np.round(np.random.default_rng(6).normal(1, 1, 300), 1), 0.95)
    assert found.low is not None
    assert found.high is not None
    assert 0.8 < found.low < found.estimate < found.high < 1.2
    assert found.p < 1e-12
