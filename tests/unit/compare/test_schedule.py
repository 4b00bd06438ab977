"""The order of runs is balanced, random, repeatable, and decided block by block."""

import subprocess
import sys
from collections import Counter
from itertools import permutations

import numpy as np
import pytest

from fuselab.compare.schedule import (
    block_order,
    level_of,
    looks_of,
    minimum_blocks,
    randseed,
    turns,
)
from fuselab.compare.signed_rank import Floats, untied_batch

PINNED = [
    ("baseline", "control", "waiting"),
    ("baseline", "waiting", "control"),
    ("control", "waiting", "baseline"),
    ("waiting", "baseline", "control"),
    ("waiting", "control", "baseline"),
    ("control", "baseline", "waiting"),
]
PINNED_SEEDS = [1611939586, 1460784610, 1515829883]


def names(count: int) -> list[str]:
    return [f"variant{number}" for number in range(count)]


@pytest.mark.parametrize(("count", "group"), [(1, 1), (2, 4), (3, 6), (4, 4), (5, 5), (8, 8)])
def test_every_variant_stands_equally_often_at_every_position_of_a_group(count, group):
    for seed in range(20):
        for start in (1, 1 + group, 1 + 5 * group):
            orders = [block_order(names(count), block, seed) for block in range(start, start + group)]
            assert all(sorted(order) == names(count) for order in orders)
            for position in range(count):
                seen = Counter(order[position] for order in orders)
                assert set(seen.values()) == {group // count}


def test_an_order_stays_what_it_was_in_every_version():
    # Blocks already measured belong to these orders: a change of them is a change of every experiment.
    assert [block_order(["baseline", "waiting", "control"], block, 1) for block in range(1, 7)] == PINNED
    assert [randseed(1, "seq-write", block) for block in (0, 1, 2)] == PINNED_SEEDS


def test_the_order_in_which_variants_are_written_does_not_matter():
    for block in range(1, 13):
        assert len({block_order(order, block, 7) for order in permutations(names(3))}) == 1


def test_all_orders_are_equally_likely():
    seen = Counter(block_order(names(3), block, seed) for seed in range(500) for block in range(1, 13))
    assert len(seen) == 6
    # 6,000 orders: 1,000 each, with a standard deviation of about 29.
    assert all(abs(count - 1000) < 150 for count in seen.values())


def test_another_seed_gives_another_schedule():
    schedules = {tuple(block_order(names(2), block, seed) for block in range(1, 33)) for seed in range(200)}
    assert len(schedules) == 200


@pytest.mark.parametrize(("variants", "block"), [([], 1), (["a", "a"], 1), (["a", "b"], 0)])
def test_nonsense_is_refused(variants, block):
    with pytest.raises(ValueError, match=r"variants|blocks"):
        block_order(variants, block, 1)


def test_randseed_is_new_for_each_block_and_workload_and_fits_fio():
    found = [randseed(1, load, block) for load in ("read", "write") for block in range(200)]
    assert len(set(found)) == 400
    assert all(1 <= value < 2**31 for value in found)
    assert randseed(1, "read", 3) != randseed(2, "read", 3)


def test_levels_and_the_fewest_blocks_they_need():
    assert (level_of(12), level_of("auto")) == (0.95, 0.978)
    assert (looks_of(7), looks_of("auto")) == ((7,), (12, 20, 32))
    assert (minimum_blocks(0.95), minimum_blocks(0.978)) == (6, 7)
    with pytest.raises(ValueError, match="level"):
        minimum_blocks(95)


def false_alarms(signs: Floats, noise: Floats) -> float:
    """Share of experiments called different; signs (e, blocks) say which run of a pair is the baseline's."""
    differences = signs * (noise[:, 0::2] - noise[:, 1::2])
    return float((untied_batch(differences, 0.95)[3] <= 0.05).mean())


def test_noise_in_step_with_the_runs_fools_a_fixed_order_and_not_this_one():
    rng = np.random.default_rng(1)
    experiments, blocks = 2000, 12
    orders = [
        [block_order(["a", "b"], block, seed)[0] == "a" for block in range(1, blocks + 1)]
        for seed in range(experiments)
    ]
    balanced = np.where(orders, 1.0, -1.0)
    fixed = np.ones_like(balanced)
    alarms = {}
    for period in (2, 3, 4, 6, 8):
        phase = rng.integers(0, period, (experiments, 1))
        wave = 0.1 * ((np.arange(2 * blocks) + phase) % period < period / 2)
        noise = wave + rng.normal(0, 0.02, wave.shape)
        alarms[period] = false_alarms(balanced, noise)
        if period == 2:
            assert false_alarms(fixed, noise) > 0.9
    # Groups of two blocks instead of four would give 9 % at periods three and four.
    assert all(share < 0.075 for share in alarms.values()), alarms


def test_light_code_stays_light():
    code = (
        "import sys, fuselab.compare.schedule, fuselab.compare.power;"
        "print([m for m in ('numpy', 'pandas', 'scipy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("names", [("a", "b"), ("a", "b", "c"), ("a", "b", "c", "d", "e")])
def test_in_turns_every_variant_comes_as_often_at_every_place(names):
    rounds = turns(names, 25, seed=3)
    assert 25 <= len(rounds) <= 30
    for place in range(len(names)):
        counts = {name: sum(order[place] == name for order in rounds) for name in names}
        assert len(set(counts.values())) == 1, counts
    assert turns(names, 25, seed=3) == rounds
    assert turns(names, 25, seed=4) != rounds
