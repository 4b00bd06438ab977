"""Experiments on a simulated machine, decided by the same code as real ones: what are its verdicts worth?

The machine drifts from run to run, whatever variant runs (`power.Noise`); runs follow `schedule.block_order`;
estimates, Holm, looks and verdicts are those of the package. Values are ln(duration): lower is better.
Metrics of one run are independent of each other, the hardest case for the correction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from fuselab.compare.multiple_testing import Claim, judge_family
from fuselab.compare.power import Noise
from fuselab.compare.schedule import block_order, level_of, looks_of, next_look
from fuselab.compare.signed_rank import Floats, Interval, Ints, untied_batch
from fuselab.records.comparison import FASTER, NO_DIFFERENCE, SLOWER
from fuselab.records.design import Blocks

_SCHEDULES = 400
"""Seeds that are really scheduled; experiments take turns with them, their noise is their own."""


@dataclass(frozen=True)
class Outcome:
    """What e experiments of h comparisons each came to. Arrays are (e, h) unless said otherwise."""

    verdicts: npt.NDArray[np.str_]
    covered: npt.NDArray[np.bool_]
    """Whether the interval shown contains the true ratio."""
    half_widths: Floats
    """Half of ratio_high - ratio_low."""
    blocks: Ints
    """Blocks until decided, shape (e,)."""

    @property
    def different(self) -> npt.NDArray[np.bool_]:
        found = [np.char.startswith(self.verdicts, word) for word in (FASTER, SLOWER)]
        return np.logical_or(*found)

    @property
    def no_difference(self) -> npt.NDArray[np.bool_]:
        return np.equal(self.verdicts, NO_DIFFERENCE)


def simulate(
    noise: Noise,
    effects: Sequence[Sequence[float]],
    blocks: Blocks,
    *,
    experiments: int,
    seed: int,
    threshold: float = 0.05,
) -> Outcome:
    """Run `experiments` of one design. `effects[c][m]` is the true change of metric m in contrast c (0.1: 10
    % longer); every contrast is a variant of its own against one baseline. Comparisons are ordered by
    contrast, then metric."""
    truth = np.log1p(np.asarray(effects, dtype=np.float64))
    looks = looks_of(blocks)
    differences = _differences(noise, truth, looks[-1], experiments, np.random.default_rng(seed))
    level = level_of(blocks)
    # Four figures (estimate, low, high, p) of every experiment and comparison, at every look.
    found = [np.array([untied_batch(d[:, :look], level) for d in differences]) for look in looks]
    count = truth.size
    verdicts = np.empty((experiments, count), dtype="<U32")
    covered = np.empty((experiments, count), dtype=bool)
    half_widths = np.empty((experiments, count))
    final = np.empty(experiments, dtype=np.int64)
    for e in range(experiments):
        for look, figures in zip(looks, found, strict=True):
            words = _judge(figures[:, :, e], look, level, len(looks), threshold)
            if len(looks) == 1 or next_look(look, words) is None:
                break
        low, high = figures[:, 1, e], figures[:, 2, e]
        verdicts[e], final[e] = words, look
        covered[e] = (low <= truth.ravel()) & (truth.ravel() <= high)
        half_widths[e] = (np.exp(high) - np.exp(low)) / 2
    return Outcome(verdicts, covered, half_widths, final)


def _judge(figures: Floats, look: int, level: float, looks: int, threshold: float) -> list[str]:
    """Verdicts of one experiment's family; figures (estimate, low, high, p) have the shape (h, 4)."""
    claims = [
        Claim(Interval(look, level, ratio, low, high, p), "lower")
        for (ratio, low, high), p in zip(np.exp(figures[:, :3]).tolist(), figures[:, 3].tolist(), strict=True)
    ]
    judged = judge_family(claims, family=len(claims), looks=looks, threshold=threshold)
    return [word for word, _ in judged]


def _differences(
    noise: Noise, truth: Floats, blocks: int, experiments: int, rng: np.random.Generator
) -> list[Floats]:
    """ln(variant / baseline), shape (experiments, blocks), for every contrast and metric of truth (c, m)."""
    contrasts, metrics = truth.shape
    variants = contrasts + 1
    positions = _positions(variants, blocks)[np.arange(experiments) % _SCHEDULES]
    by_metric = []
    for _ in range(metrics):
        runs = machine(noise, experiments, blocks * variants, rng).reshape(experiments, blocks, variants)
        by_metric.append(np.take_along_axis(runs, positions, axis=2))
    return [
        values[:, :, c + 1] - values[:, :, 0] + truth[c, m]
        for c in range(contrasts)
        for m, values in enumerate(by_metric)
    ]


def machine(noise: Noise, experiments: int, runs: int, rng: np.random.Generator) -> Floats:
    """ln(duration) of consecutive runs of one unchanging program, shape (experiments, runs)."""
    steps = rng.normal(0, noise.drift_sd * np.sqrt(1 - noise.drift_phi**2), (experiments, runs))
    drift = np.empty((experiments, runs))
    drift[:, 0] = rng.normal(0, noise.drift_sd, experiments)
    for t in range(1, runs):
        drift[:, t] = noise.drift_phi * drift[:, t - 1] + steps[:, t]
    outliers = rng.random((experiments, runs)) < noise.outlier_share
    independent = rng.normal(0, noise.run_sd, (experiments, runs))
    return np.asarray(drift + independent + np.log(noise.outlier_factor) * outliers)


@lru_cache(maxsize=8)
def _positions(variants: int, blocks: int) -> Ints:
    """Position of each variant (0: the baseline) in each block: shape (_SCHEDULES, blocks, variants)."""
    names = [f"v{number}" for number in range(variants)]
    orders = [
        [block_order(names, block, seed) for block in range(1, blocks + 1)] for seed in range(_SCHEDULES)
    ]
    return np.array([[[order.index(name) for name in names] for order in row] for row in orders])
