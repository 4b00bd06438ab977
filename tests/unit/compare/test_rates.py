"""Whether failure rates differ is what scipy says, table by table, and by hand where that is short."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import fisher_exact

from fuselab.compare.rates import Tally, fisher_p

TABLES = [
    (a, m, b, n) for m in (1, 3, 7, 12) for n in (1, 7, 12, 20) for a in range(m + 1) for b in range(n + 1)
]


def test_p_is_scipy_s_for_every_table_of_up_to_twenty_blocks() -> None:
    for a, m, b, n in TABLES:
        expected = fisher_exact(np.array([[a, m - a], [b, n - b]])).pvalue
        assert fisher_p(Tally(a, m), Tally(b, n)) == pytest.approx(expected, rel=1e-9), (a, m, b, n)


def test_by_hand() -> None:
    # Of 14 blocks 2 failed: both on one side in C(7,2)/C(14,2) = 21/91, and as improbable is both on the other.
    assert fisher_p(Tally(2, 7), Tally(0, 7)) == pytest.approx(42 / 91)
    assert fisher_p(Tally(0, 7), Tally(0, 7)) == 1
    # All of 7 against none of 7: one table of C(14,7), and its mirror.
    assert fisher_p(Tally(7, 7), Tally(0, 7)) == pytest.approx(2 / 3432)


def test_two_of_seven_is_no_difference_and_is_said_as_a_rate() -> None:
    assert fisher_p(Tally(2, 7), Tally(0, 7)) > 0.4
    assert (str(Tally(2, 7)), str(Tally(0, 7))) == ("2 of 7", "none of 7")


def test_at_most_five_percent_of_equal_pairs_are_called_different() -> None:
    """Exact: whatever the rate, the probability of p <= 0.05 is at most 0.05."""
    from math import comb

    m = n = 12
    for rate in (0.05, 0.2, 0.5, 0.9):
        chance = [comb(m, k) * rate**k * (1 - rate) ** (m - k) for k in range(m + 1)]
        tables = [(a, b) for a in range(m + 1) for b in range(n + 1)]
        called = sum(chance[a] * chance[b] for a, b in tables if fisher_p(Tally(a, m), Tally(b, n)) <= 0.05)
        assert called <= 0.05
