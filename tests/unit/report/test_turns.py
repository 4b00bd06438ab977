"""How much of the spread between blocks is more than the slices of a block explain."""

import numpy as np
import pytest

from fuselab.records.slices import Slice
from fuselab.report.page.turns import between_mounts


def block(rng: np.random.Generator, mounts_sd: float, rounds: int = 200) -> tuple[Slice, ...]:
    shift = rng.normal(0, mounts_sd)
    speed = {"old": 1e8, "new": 1e8 * np.exp(shift)}
    return tuple(
        Slice(
            2 * n + k,
            n,
            name,
            0.0,
            0.1,
            name,
            0,
            int(0.1 * speed[name] * np.exp(rng.normal(0, 0.1))),
            0.0,
            0,
            0,
            0,
        )
        for n in range(rounds)
        for k, name in enumerate(speed)
    )


@pytest.mark.parametrize(("mounts_sd", "least", "most"), [(0.0, 0.0, 0.5), (0.05, 0.9, 1.0)])
def test_the_share_between_mounts_is_what_was_planted(mounts_sd, least, most):
    rng = np.random.default_rng(5)
    share = between_mounts({n: block(rng, mounts_sd) for n in range(40)}, "old", "new")
    assert share is not None
    assert least <= share <= most, "a block's own scatter is 0.1 * sqrt(2 / 200) = 1 %"


def test_two_blocks_tell_nothing():
    rng = np.random.default_rng(5)
    assert between_mounts({n: block(rng, 0.05) for n in range(2)}, "old", "new") is None
