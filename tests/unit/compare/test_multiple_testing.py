"""Corrections for many comparisons, against their definitions and against scipy."""

from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from fuselab.compare.multiple_testing import LOOKS_PENALTY, benjamini_hochberg, holm, least_blocks


def closed_testing(ps: list[float], alpha: float) -> list[bool]:
    """Which hypotheses fall if each intersection is tested by Bonferroni: what Holm is."""
    indices = range(len(ps))
    subsets = [set(chosen) for size in indices for chosen in combinations(indices, size + 1)]
    return [all(min(ps[j] for j in s) <= alpha / len(s) for s in subsets if i in s) for i in indices]


def test_holm_is_the_closure_of_bonferroni():
    rng = np.random.default_rng(1)
    rejected = 0
    for _ in range(300):
        ps = (rng.random(5) ** 3).tolist()
        expected = closed_testing(ps, 0.05)
        assert [p is not None and p <= 0.05 for p in holm(ps)] == expected
        rejected += sum(expected)
    assert 100 < rejected < 1400


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.2, None, 0.9]) == [pytest.approx(0.6), None, 1.0]
    assert holm([]) == []


def test_one_comparison_alone_is_not_corrected_not_even_at_several_looks():
    assert holm([0.02]) == [0.02]
    assert holm([0.02], looks=3) == [0.02]


def test_several_comparisons_at_several_looks_cost_more():
    assert holm([0.001, 0.02], looks=3) == pytest.approx([0.001 * 2 * LOOKS_PENALTY, 0.02])


@pytest.mark.parametrize("size", [1, 2, 5, 72])
def test_the_fewest_blocks_are_those_whose_smallest_p_survives_the_correction(size: int):
    """Of n blocks that all point one way the signed-rank test's p is 2 / 2**n, as scipy has it too."""
    least = least_blocks(size, 12)
    for blocks, decides in ((least - 1, False), (least, True)):
        p = float(stats.wilcoxon(np.arange(1, blocks + 1), method="exact").pvalue)
        first = holm([p], family=size)[0]
        assert first is not None
        assert (first <= 0.05) == decides


def test_what_a_part_of_the_family_decides_stays_decided_when_the_rest_arrives():
    rng = np.random.default_rng(2)
    for looks in (1, 3):
        for _ in range(200):
            ps = (rng.random(6) ** 3).tolist()
            early, late = holm(ps[:3], family=6, looks=looks), holm(ps, looks=looks)
            assert all((before or 0) >= (after or 0) for before, after in zip(early, late, strict=False))


def test_a_family_must_hold_its_members():
    with pytest.raises(ValueError, match="family of 1"):
        holm([0.1, 0.2], family=1)


def test_benjamini_hochberg_is_scipys():
    rng = np.random.default_rng(3)
    for size in (1, 2, 7, 40):
        ps = rng.random(size) ** 2
        assert benjamini_hochberg(ps.tolist()) == pytest.approx(stats.false_discovery_control(ps))
    assert benjamini_hochberg([None, 0.3]) == [None, pytest.approx(0.3)]
