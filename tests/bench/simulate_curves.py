"""Curves on a simulated machine: how often is true what stands beside their verdict? Nothing of it is a verdict.

Runs follow each other block by block, and in a block point by point, of `variants` variants; the machine drifts from
run to run, whatever runs. Looked at is one variant, in blocks of 12.
"""

from __future__ import annotations

from itertools import takewhile

import numpy as np
import numpy.typing as npt
from tests.bench.simulate import machine

from fuselab.compare.curve_findings import kept, knee, level_at
from fuselab.compare.power import Noise
from fuselab.compare.signed_rank import Floats

BLOCKS = 12


def runs(noise: Noise, points: int, variants: int, rng: np.random.Generator) -> Floats:
    """ln(duration / typical duration), shape (blocks, points)."""
    return machine(noise, 1, BLOCKS * points * variants, rng).reshape(BLOCKS, points, variants)[:, :, 0]


def typical(noise: Noise) -> float:
    """Duration of which intervals of levels speak: the pseudomedian of runs that are far apart."""
    far = machine(
        Noise(noise.drift_sd, noise.run_sd, noise.outlier_share, 0.0), 2, 400_000, np.random.default_rng(1)
    )
    return float(np.exp(np.median(far.mean(axis=0))))


def level_intervals(
    noise: Noise, experiments: int, *, points: int, variants: int, seed: int
) -> list[tuple[float, float]]:
    """Of the level at the middle point."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(experiments):
        level = level_at(np.exp(runs(noise, points, variants, rng)[:, points // 2]), 0.95)
        assert level is not None
        assert level.low is not None
        assert level.high is not None
        found.append((level.low, level.high))
    return found


def said_too_high(noise: Noise, experiments: int, *, points: int, variants: int, seed: int) -> float:
    """Share of experiments that say a limit kept up to a higher value than it is. Half way along the axis the true
    level is the limit itself, where a wrong answer is easiest; before it the half of that, and beyond it the double."""
    rng = np.random.default_rng(seed)
    limit, last = typical(noise), points // 2
    truth = np.array([0.5] * last + [1.0] + [2.0] * (points - last - 1))
    wrong = 0
    for _ in range(experiments):
        values = truth * np.exp(runs(noise, points, variants, rng))
        levels = (level_at(values[:, point], 0.95) for point in range(points))
        wrong += sum(1 for _ in takewhile(lambda at: kept(at, limit, "lower") == "kept", levels)) > last
    return wrong / experiments


def knees(
    noise: Noise, experiments: int, *, seed: int, points: int = 6, variants: int = 2
) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Of the experiments that tell a knee: the share of resamples that have it there, and whether it is there. Depths
    double from 1 on; throughput saturates as depth / (1 + depth / d) at a random depth d."""
    rng = np.random.default_rng(seed)
    depth = 2.0 ** np.arange(points)
    shares, right = [], []
    for _ in range(experiments):
        throughput = np.log(depth / (1 + depth / 2.0 ** rng.uniform(1, points - 2)))
        seen = throughput - runs(noise, points, variants, rng)
        if found := knee(np.exp(seen), np.exp(np.log(depth) - seen)):
            shares.append(found.share)
            right.append(found.point == np.argmax(2 * throughput - np.log(depth)))
    return np.array(shares), np.array(right, dtype=bool)
