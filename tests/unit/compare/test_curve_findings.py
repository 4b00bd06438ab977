"""Crossings, knees and limits are found where they were planted, and as far as blocks can tell."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats
from tests.bench.simulate_curves import knees, level_intervals, said_too_high, typical

from fuselab.compare import curve_findings
from fuselab.compare.curve_findings import Level, crossings, kept, knee, level_at
from fuselab.compare.power import NOISY, QUIET, Noise
from fuselab.compare.signed_rank import Floats

X = [4096.0, 16384.0, 65536.0, 262144.0]


def lines(truth: list[float], sd: float = 0.03, blocks: int = 12, seed: int = 1):
    rng = np.random.default_rng(seed)
    return np.asarray(truth) + rng.normal(0, sd, (blocks, len(truth)))


def test_a_planted_crossing_is_found_where_it_is() -> None:
    # ln ratio is linear in ln x and 0 at 32 KiB, half way between the second and the third point.
    (found,) = crossings(X, lines([0.9, 0.3, -0.3, -0.9]), [1, 1, -1, -1], logarithmic=True)
    assert found.low < 32768 < found.high
    assert found.at == pytest.approx(32768, rel=0.05)
    assert found.share == 1.0
    assert found.above_before


def test_its_ends_hold_the_truth_about_as_often_as_they_say(monkeypatch) -> None:
    monkeypatch.setattr(curve_findings, "RESAMPLES", 200)
    held = 0
    for seed in range(60):
        (found,) = crossings(
            X, lines([0.9, 0.3, -0.3, -0.9], sd=0.1, seed=seed), [1, 1, -1, -1], logarithmic=True
        )
        held += found.low <= 32768 <= found.high
    assert 50 <= held <= 60, "95 % of resamples are a little less than 95 % of experiments, with 12 blocks"


def test_lines_that_cross_without_a_decided_point_on_either_side_are_noise() -> None:
    assert not list(crossings(X, lines([0.01, -0.01, 0.01, -0.01]), [0, 0, 0, 0], logarithmic=True))
    assert not list(crossings(X, lines([0.3, 0.2, -0.01, 0.01]), [1, 1, 0, 0], logarithmic=True))


def test_an_undecided_point_between_widens_where_they_may_cross() -> None:
    (found,) = crossings(X, lines([0.6, 0.0, 0.0, -0.6], sd=0.05), [1, 0, 0, -1], logarithmic=True)
    assert found.low < 30000 < found.high


def test_the_knee_is_where_throughput_per_latency_is_most() -> None:
    throughput = np.exp(lines(np.log([100, 200, 400, 420]).tolist()))
    latency = np.exp(lines(np.log([1.0, 1.1, 1.3, 9.0]).tolist()))
    found = knee(throughput, latency)
    assert found is not None
    assert (found.point, found.share) == (2, 1.0)


def test_a_curve_that_is_best_at_its_end_has_no_knee_on_it() -> None:
    throughput = np.exp(lines(np.log([100, 200, 400, 800]).tolist()))
    assert knee(throughput, np.exp(lines([0.0, 0.0, 0.0, 0.0]))) is None


def test_a_limit_is_kept_only_by_the_whole_interval() -> None:
    assert kept(Level(4, 3.5, 4.9), 5, "lower") == "kept"
    assert kept(Level(4.9, 4.5, 5.5), 5, "lower") == "open"
    assert kept(Level(6, 5.5, 6.5), 5, "lower") == "broken"
    assert kept(Level(6, 5.5, 6.5), 5, "higher") == "kept"
    assert kept(Level(4, None, None), 5, "lower") == "open"


def test_a_level_is_the_pseudomedian_of_scipys_test() -> None:
    values = np.exp([1.6, 2.4, 1.7, 2.33, 1.85, 2.2, 1.9, 2.1])
    assert widening(values) == 1, "neighbours of these are not alike"
    found = level_at(values, 0.95)
    assert found is not None
    assert found.low is not None
    assert found.high is not None
    logs = np.log(values)
    for end in (found.low, found.high):  # a shift that the test just does not refuse
        outwards = np.log(end) + (1e-9 if end > found.estimate else -1e-9)
        inwards = np.log(end) - (1e-9 if end > found.estimate else -1e-9)
        assert stats.wilcoxon(logs - outwards, method="exact").pvalue <= 0.05
        assert stats.wilcoxon(logs - inwards, method="exact").pvalue > 0.05


def widening(values: Floats) -> float:
    """By another road: pandas' autocorrelation of scipy's ranks, about the mean of all of them."""
    ranks = pd.Series(stats.rankdata(values))
    away = ranks - ranks.mean()
    seen = float((away * away.shift()).sum() / (away**2).sum())
    r = min(0.9, max(0.0, seen + (1 + 4 * seen) / len(values)))
    return math.sqrt((1 + r) / (1 - r))


def test_a_level_is_wider_by_what_neighbouring_blocks_have_in_common() -> None:
    drifting = np.exp(np.array([0.0, 0.1, 0.2, 0.2, 0.35, 0.4, 0.3, 0.45, 0.5, 0.7, 0.6, 0.8]))
    (drifted, mixed) = (
        level_at(values, 0.95) for values in (drifting, np.random.default_rng(2).permuted(drifting))
    )
    assert drifted is not None
    assert mixed is not None
    assert drifted.estimate == mixed.estimate
    widths = [math.log((one.high or 0) / (one.low or 1)) for one in (drifted, mixed)]
    factor = widening(drifting) / widening(np.random.default_rng(2).permuted(drifting))
    assert factor > 2
    assert widths[0] / widths[1] == pytest.approx(factor, rel=1e-9)


def test_a_level_that_never_moves_has_no_width() -> None:
    found = level_at([2.0] * 12, 0.95)
    assert found is not None
    assert found.low == found.estimate == found.high


@pytest.mark.parametrize(("noise", "least"), [(Noise(0.0, 0.05, 0.0), 0.95), (QUIET, 0.85)])
def test_levels_hold_the_truth_about_as_often_as_they_say(noise: Noise, least: float) -> None:
    """Of four points and two variants; on a machine that drifts 72 % would, were they not widened."""
    found = level_intervals(noise, 300, points=4, variants=2, seed=3)
    truth = typical(noise)
    held = np.mean([low <= truth <= high for low, high in found])
    assert held >= least - 3 * math.sqrt(least * (1 - least) / len(found))


def test_a_limit_is_not_said_to_be_kept_beyond_where_it_is_oftener_than_the_method_says() -> None:
    """On the machine that is worst for it, and of two points; 22 % would be, were levels not widened."""
    said = said_too_high(QUIET, 300, points=2, variants=2, seed=4)
    assert said <= 0.13 + 3 * math.sqrt(0.13 * 0.87 / 300)


def test_the_share_of_resamples_of_a_knee_is_how_often_it_is_the_right_one(monkeypatch) -> None:
    monkeypatch.setattr(curve_findings, "RESAMPLES", 200)
    shares, right = knees(NOISY, 200, seed=5)
    assert right.mean() == pytest.approx(shares.mean(), abs=3 * 0.5 / math.sqrt(len(right)))
    sure = shares >= 0.95
    assert right[sure].mean() > 0.9
    assert right[shares < 0.8].mean() < 0.8, "what is unsure is often wrong, or shares would say nothing"


AXES = {
    "unequal steps of a logarithmic axis": ([1.0, 3.0, 4.0, 200.0], True),
    "equal steps of a linear axis": ([40.0, 60.0, 80.0, 100.0], False),
    "unequal steps from 0 on": ([0.0, 10.0, 15.0, 100.0], False),
}


@pytest.mark.parametrize(("x", "logarithmic"), AXES.values(), ids=AXES.keys())
def test_crossings_are_those_of_numpys_lines_and_scipys_roots_and_bootstrap(
    x: list[float], logarithmic: bool
) -> None:
    rows = lines([0.5, 0.25, -0.2, -0.6], sd=0.12)
    (found,) = crossings(x, rows, [1, 1, -1, -1], logarithmic=logarithmic)
    scale = np.log(x) if logarithmic else np.array(x)

    def root(chosen: Floats) -> float:
        """Where the line through the pseudomedians of the chosen blocks is 0, between the middle points."""
        pairs = itertools.combinations_with_replacement(rows[np.asarray(chosen, dtype=int)], 2)
        typical = np.median([(a + b) / 2 for a, b in pairs], axis=0)
        at = optimize.brentq(lambda place: np.interp(place, scale, typical), scale[1], scale[2])
        return float(np.exp(at) if logarithmic else at)

    assert found.at == pytest.approx(root(np.arange(12.0)), rel=1e-9)
    assert found.share > 0.99
    drawn = stats.bootstrap(
        (np.arange(12.0),), root, n_resamples=1500, method="percentile", vectorized=False, rng=7
    )
    width = found.high - found.low
    assert found.low == pytest.approx(drawn.confidence_interval.low, abs=0.1 * width)
    assert found.high == pytest.approx(drawn.confidence_interval.high, abs=0.1 * width)


def test_what_has_no_logarithm_has_no_level() -> None:
    assert level_at([1.0, 0.0], 0.95) is None
    assert level_at([], 0.95) is None
