"""What size of effect a design can find, before anything is measured. Standard library only: `plan` asks it.

A small simulation with a fixed seed. Adding an effect to a set of differences only shifts its intervals, so
the intervals of 2,000 experiments without effect answer for every effect.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from fuselab.compare.multiple_testing import LOOKS_PENALTY
from fuselab.compare.null_distribution import critical
from fuselab.compare.schedule import level_of, looks_of
from fuselab.records.design import Blocks

REPLICATES = 2000


@dataclass(frozen=True)
class Noise:
    """How runs of one variant differ, on the scale of ln(value).

    Drift is AR(1) from run to run (of whatever variant) with stationary sd `drift_sd`; every run adds
    independent noise and, in a share of runs, takes `outlier_factor` times as long.
    """

    drift_sd: float
    run_sd: float
    outlier_share: float
    drift_phi: float = 0.95
    outlier_factor: float = 2.0


NOISY = Noise(drift_sd=0.10, run_sd=0.05, outlier_share=0.05)
QUIET = Noise(drift_sd=0.03, run_sd=0.015, outlier_share=0.01)


@dataclass(frozen=True)
class _Look:
    """Ends of the intervals of one experiment without effect at one look, on the scale of ln(ratio)."""

    found_above: float
    """Minus the lower end at the level that the family asks for: a larger effect is found."""
    low: float
    high: float


def smallest_effect(
    blocks: Blocks,
    noise: Noise | Sequence[float],
    *,
    family: int = 1,
    variants: int = 2,
    threshold: float = 0.05,
    power: float = 0.8,
) -> float | None:
    """Smallest change (0.1 for 10 %) that a share `power` of experiments finds; None where none up to a
    factor of 20 is. Arguments as in `power_at`."""
    smallest, largest = 0.0, 19.0
    if power_at(largest, blocks, noise, family=family, variants=variants, threshold=threshold) < power:
        return None
    while largest - smallest > 1e-4:
        middle = (smallest + largest) / 2
        share = power_at(middle, blocks, noise, family=family, variants=variants, threshold=threshold)
        smallest, largest = (smallest, middle) if share >= power else (middle, largest)
    return largest


def power_at(
    effect: float,
    blocks: Blocks,
    noise: Noise | Sequence[float],
    *,
    family: int = 1,
    variants: int = 2,
    threshold: float = 0.05,
) -> float:
    """Share of experiments that call a true change of `effect` (0.1 for 10 %) a difference, with its sign.

    `noise` is a model, or measured differences ln(variant / baseline) per block from earlier experiments.
    `family` is the size of the Holm family (contrasts x workloads x primary metrics); the answer holds for
    the comparison that Holm tests first, the hardest, and as if it alone decided when `auto` stops.
    """
    experiments = _experiments(blocks, noise if isinstance(noise, Noise) else tuple(noise), family, variants)
    shift, below, above = math.log1p(effect), math.log1p(-threshold), math.log1p(threshold)
    differences = 0
    for looks in experiments:
        for look in looks:
            if shift > look.found_above:
                differences += 1
                break
            if below <= look.low + shift and look.high + shift <= above:
                break
    return differences / len(experiments)


@lru_cache(maxsize=64)
def _experiments(
    blocks: Blocks, noise: Noise | tuple[float, ...], family: int, variants: int
) -> tuple[tuple[_Look, ...], ...]:
    """The looks of each simulated experiment."""
    looks = looks_of(blocks)
    penalty = LOOKS_PENALTY if len(looks) > 1 and family > 1 else 1.0
    alpha = 1 - level_of(blocks)
    indices = [(look, critical(look, alpha / (family * penalty)), critical(look, alpha)) for look in looks]
    made = _differences(noise, variants, looks[-1])
    return tuple(
        tuple(_look(differences[:look], k, plain) for look, k, plain in indices) for differences in made
    )


def _look(differences: Sequence[float], k: int, plain: int) -> _Look:
    """Intervals from the (k+1)-th smallest Walsh average, k from `null.critical`; -1: no interval exists."""
    ordered = sorted(differences)  # so that the sums are rows in order, which are sorted twice as fast
    sums = sorted([a + b for i, a in enumerate(ordered) for b in ordered[i:]])
    return _Look(
        found_above=-sums[k] / 2 if k >= 0 else math.inf,
        low=sums[plain] / 2 if plain >= 0 else -math.inf,
        high=sums[-1 - plain] / 2 if plain >= 0 else math.inf,
    )


def _differences(noise: Noise | tuple[float, ...], variants: int, blocks: int) -> Iterator[list[float]]:
    """Of experiments without effect: measured ones centred, drawn anew and flipped."""
    if not isinstance(noise, Noise):
        middle, rng = sorted(noise)[len(noise) // 2], random.Random(1)
        for _ in range(REPLICATES):
            yield [rng.choice((-1, 1)) * (rng.choice(noise) - middle) for _ in range(blocks)]
        return
    shifts = (1 - noise.drift_phi**gap for gap in range(variants))
    sds = [math.sqrt(2 * noise.drift_sd**2 * shift + 2 * noise.run_sd**2) for shift in shifts]
    share, jump = noise.outlier_share, math.log(noise.outlier_factor)
    for drawn in _drawn(variants, blocks):
        yield [sds[gap] * z + ((u < share) - (v < share)) * jump for gap, u, v, z in drawn]


@lru_cache(maxsize=1)
def _drawn(variants: int, blocks: int) -> list[list[tuple[int, float, float, float]]]:
    """Of each block of each experiment, whatever the noise: how far the two runs are apart, two numbers that decide
    who is an outlier, and a standard normal one."""
    rng = random.Random(1)
    return [
        [(_apart(variants, rng), rng.random(), rng.random(), rng.gauss(0, 1)) for _ in range(blocks)]
        for _ in range(REPLICATES)
    ]


def _apart(variants: int, rng: random.Random) -> int:
    """Of two different places, drawn as `rng.sample` does, which takes four times as long."""
    first, second = rng.randrange(variants), rng.randrange(variants - 1)
    return variants - 1 - first if second == first else abs(first - second)
