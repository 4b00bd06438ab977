"""Machines that agree are seldom said to disagree; one that is out of line is named; nodes as a random effect hold."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats

from fuselab.compare.nodes import compare_nodes, t_quantile

LEVEL = 0.95


def blocks(
    generator: np.random.Generator, effects: list[float], each: int = 6, sd: float = 0.05
) -> dict[str, list[float]]:
    """ln ratios as fio's scatter: now and then a block is wild."""
    noise = generator.normal(0, sd, (len(effects), each)) + (
        generator.random((len(effects), each)) < 0.05
    ) * generator.normal(0, 0.5, (len(effects), each))
    return {f"n{i}": list(effect + row) for i, (effect, row) in enumerate(zip(effects, noise, strict=True))}


@pytest.mark.parametrize("nodes", [2, 4])
def test_of_nodes_that_agree_one_in_a_hundred_comparisons_is_said_to_disagree(nodes: int):
    generator = np.random.default_rng(1)
    said = sum(compare_nodes(blocks(generator, [-0.1] * nodes), LEVEL).disagree for _ in range(400))
    assert said <= scipy.stats.binom.ppf(0.9999, 400, 0.01)


def test_a_node_out_of_line_is_named_and_no_other():
    generator = np.random.default_rng(2)
    named = [compare_nodes(blocks(generator, [0, 0, 0.25, 0]), LEVEL).out_of_line for _ in range(100)]
    assert named.count("n2") >= 75
    assert set(named) <= {"n2", ""}


def test_two_nodes_have_their_ratios_and_neither_is_out_of_line():
    found = compare_nodes({"b": [math.log(1.2)] * 6, "a": [math.log(1.0)] * 5}, LEVEL)
    assert [(n.node, n.blocks, round(n.ratio, 6)) for n in found.by_node] == [("a", 5, 1.0), ("b", 6, 1.2)]
    assert found.disagree
    assert not found.out_of_line
    assert found.across is None


def test_as_a_random_effect_nodes_that_scatter_are_covered_where_blocks_alone_are_not():
    generator = np.random.default_rng(3)
    covered = by_blocks = 0
    for _ in range(200):
        measured = blocks(generator, list(generator.normal(0, 0.1, 4)))
        across = compare_nodes(measured, LEVEL).across
        assert across is not None
        covered += across[1] <= 1 <= across[2]
        every = np.concatenate([np.asarray(of) for of in measured.values()])
        by_blocks += bool(scipy.stats.ttest_1samp(every, 0).pvalue > 1 - LEVEL)
    assert covered >= scipy.stats.binom.ppf(0.001, 200, LEVEL)
    assert by_blocks < 0.85 * 200


@pytest.mark.parametrize("freedom", [2, 3, 7, 30])
def test_students_t_is_scipys(freedom: int):
    for p in (0.9, 0.975, 0.995, 0.9995):
        assert t_quantile(p, freedom) == pytest.approx(scipy.stats.t.ppf(p, freedom), rel=1e-4)
