"""What `plan` says a design can find is what simulated experiments find."""

import math

import numpy as np
import pytest
from tests.bench.simulate import simulate

from fuselab.compare.power import NOISY, QUIET, power_at, smallest_effect


@pytest.mark.parametrize("noise", [NOISY, QUIET])
@pytest.mark.parametrize("blocks", [12, 20, 32, "auto"])
def test_the_power_is_that_of_the_whole_decision_path(noise, blocks):
    effect = smallest_effect(blocks, noise)
    assert effect is not None
    found = simulate(noise, [[effect]], blocks, experiments=2000, seed=5).different.mean()
    # Standard errors: 0.9 % of either simulation; 0.05 leaves room for both.
    assert found == pytest.approx(0.8, abs=0.05)
    assert power_at(effect, blocks, noise) == pytest.approx(0.8, abs=0.005)


def test_the_power_holds_for_a_family_and_for_several_variants():
    effects = [[0.1] + [0.0] * 5, [0.0] * 6]
    found = simulate(NOISY, effects, 20, experiments=2000, seed=6).different[:, 0].mean()
    assert power_at(0.1, 20, NOISY, family=12, variants=3) == pytest.approx(found, abs=0.05)


def test_more_blocks_and_less_noise_find_smaller_effects_and_more_metrics_larger_ones():
    sizes = [smallest_effect(blocks, NOISY) or math.inf for blocks in (12, 20, 32)]
    assert sizes == sorted(sizes, reverse=True)
    assert (smallest_effect(12, QUIET) or math.inf) < sizes[-1]
    assert (smallest_effect(12, NOISY, family=6) or math.inf) > sizes[0]


def test_a_design_that_can_find_nothing_says_so():
    assert smallest_effect(5, QUIET) is None
    assert power_at(10.0, 5, QUIET) == 0
    assert smallest_effect(12, QUIET, family=102) is not None
    assert smallest_effect(12, QUIET, family=103) is None


def test_measured_differences_can_stand_for_the_noise():
    rng = np.random.default_rng(1)
    measured = rng.normal(0.4, 0.05, 200).tolist()
    similar = smallest_effect(20, measured)
    assert similar == pytest.approx(0.05 * 3.0 / np.sqrt(20), rel=0.15)
