"""The word for an interval: each of them, in both directions, and at the edges."""

import pytest

from fuselab.compare.caveats import closed_loop_caveat, tail_reason
from fuselab.compare.multiple_testing import Claim, judge_family, verdict
from fuselab.compare.schedule import next_look
from fuselab.compare.signed_rank import Interval
from fuselab.records.metrics import Better
from fuselab.workloads import quantity


def claim(
    ratio: float,
    low: float | None,
    high: float | None,
    better: Better = "lower",
    floor: float = 0.0,
    p: float = 0.001,
) -> Claim:
    return Claim(Interval(12, 0.95, ratio, low, high, p), better, floor)


@pytest.mark.parametrize(
    ("better", "ratio", "low", "high", "word"),
    [
        ("lower", 1.30, 1.20, 1.40, "slower"),
        ("lower", 0.70, 0.60, 0.80, "faster"),
        ("higher", 1.30, 1.20, 1.40, "faster"),
        ("higher", 0.70, 0.60, 0.80, "slower"),
        ("lower", 1.03, 1.01, 1.05, "slower, below threshold"),
        ("higher", 1.03, 1.01, 1.05, "faster, below threshold"),
        ("lower", 1.03, 1.01, 1.051, "slower"),
        ("lower", 0.97, 0.95, 0.99, "faster, below threshold"),
    ],
)
def test_a_difference_has_a_direction_and_a_size(better, ratio, low, high, word):
    assert verdict(claim(ratio, low, high, better), 0.001, 0.05) == word


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [
        (0.96, 1.04, "no difference shown"),
        (0.95, 1.05, "no difference shown"),
        (0.949, 1.04, "inconclusive"),
        (0.96, 1.051, "inconclusive"),
        (0.5, 2.0, "inconclusive"),
    ],
)
def test_no_difference_is_shown_only_by_an_interval_within_the_threshold(low, high, word):
    assert verdict(claim(1.0, low, high, p=0.9), 0.9, 0.05) == word


def test_the_threshold_is_the_experiments_own():
    assert verdict(claim(1.0, 0.92, 1.08, p=0.9), 0.9, 0.05) == "inconclusive"
    assert verdict(claim(1.0, 0.92, 1.08, p=0.9), 0.9, 0.10) == "no difference shown"


def test_a_difference_that_the_correction_takes_back_is_not_claimed():
    assert verdict(claim(1.30, 1.20, 1.40), 0.051, 0.05) == "inconclusive"
    assert verdict(claim(1.03, 1.01, 1.045), 0.051, 0.05) == "no difference shown"


def test_without_an_interval_nothing_is_said():
    assert verdict(claim(1.3, None, None), 0.001, 0.05) == "inconclusive"


def test_no_claim_below_what_the_metric_can_resolve():
    assert verdict(claim(1.016, 1.016, 1.016, floor=0.02), 0.001, 0.05) == "no difference shown"
    assert verdict(claim(1.019, 1.005, 1.08, floor=0.02), 0.001, 0.05) == "inconclusive"
    assert verdict(claim(1.021, 1.016, 1.032, floor=0.02), 0.001, 0.05) == "slower, below threshold"


def test_no_difference_is_not_claimed_below_what_a_metric_can_resolve():
    assert verdict(claim(1.0, 1.0, 1.0, floor=0.02), 1.0, 0.01) == "inconclusive"
    assert verdict(claim(1.0, 1.0, 1.0), 1.0, 0.01) == "no difference shown"


def test_a_family_is_judged_together():
    claims = [claim(1.3, 1.2, 1.4, p=0.01), claim(1.3, 1.1, 1.5, p=0.03)]
    words = [word for word, _ in judge_family(claims, family=2, looks=1, threshold=0.05)]
    assert words == ["slower", "slower"]
    words = [word for word, _ in judge_family(claims, family=4, looks=1, threshold=0.05)]
    assert words == ["slower", "inconclusive"]


def test_looks_go_on_until_all_is_decided_or_the_last_is_taken():
    assert next_look(12, ["slower", "inconclusive"]) == 20
    assert next_look(20, ["inconclusive"]) == 32
    assert next_look(32, ["inconclusive"]) is None
    assert next_look(12, ["slower", "no difference shown", "faster, below threshold"]) is None
    assert next_look(12, []) is None
    with pytest.raises(ValueError, match="12, 20, 32"):
        next_look(14, [])


@pytest.mark.parametrize(
    ("metric", "percentile"),
    [
        ("write.p50", 50),
        ("write.p99", 99),
        ("read.p99.9", 99.9),
        ("read.p99_9", 99.9),
        ("read.p999", 99.9),
        ("write.lat_p99", 99),
        ("write.bw", None),
        ("bench.map1", None),
        ("bench.sort/p99", None),
        ("bench.p50", None),
        ("command.step5", None),
    ],
)
def test_percentiles_are_known_by_their_names(metric, percentile):
    assert quantity(metric).percentile == percentile
    assert quantity(metric).resolution == (0.0 if percentile is None else 0.02)


def test_a_percentile_needs_ten_ios_beyond_it_in_every_run():
    assert tail_reason("write.p99", [10, 11, 500]) is None
    few, unknown = tail_reason("write.p99", [10, 9, 500]), tail_reason("write.p99", [10, float("nan")])
    assert few is not None
    assert "fewer than 10" in few
    assert "1 of 3 runs" in few
    assert unknown is not None
    assert "unknown in 1 of 2" in unknown
    assert tail_reason("write.bw", [float("nan")]) is None


def test_a_closed_loop_is_warned_about_where_a_tail_is_claimed():
    warning = closed_loop_caveat("write.p99", True)
    assert warning is not None
    assert "closed-loop" in warning
    assert closed_loop_caveat("write.p99", False) is None
    assert closed_loop_caveat("write.p50", True) is None
    assert closed_loop_caveat("write.bw", True) is None
