"""What size of effect a design can find, before anything is measured. Standard library only: `plan` asks it.

A small simulation with a fixed seed. For a set of noise differences e, a true effect d is found exactly where
the lower end of the interval of e + d lies above 0, that is where d exceeds minus the lower end for e: so
each simulated experiment says how large an effect it needs, and one pass answers for every effect.
"""

from __future__ import annotations

import math
import random
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from fuselab.compare.families import LOOKS_PENALTY
from fuselab.compare.null import critical
from fuselab.compare.schedule import Blocks, level_of, looks_of

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


def smallest_effect(
    blocks: Blocks, noise: Noise | Sequence[float], *, family: int = 1, variants: int = 2, power: float = 0.8
) -> float | None:
    """Smallest change (0.1 for 10 %) that a share `power` of experiments finds; None where no change can be.

    `noise` is a model, or measured differences ln(variant / baseline) per block from earlier experiments.
    `family` is the size of the Holm family (contrasts x workloads x primary metrics); the answer holds for
    the comparison that Holm tests first, the hardest. Below the threshold, `auto` may find less than this
    says: it also stops where no difference is shown.
    """
    needed = _needed(blocks, noise if isinstance(noise, Noise) else tuple(noise), family, variants)
    effect = needed[math.ceil(power * len(needed)) - 1]
    return math.expm1(effect) if math.isfinite(effect) else None


def power_at(
    effect: float, blocks: Blocks, noise: Noise | Sequence[float], *, family: int = 1, variants: int = 2
) -> float:
    """Share of experiments that find a true change of `effect` (0.1 for 10 %), with its sign; see above."""
    needed = _needed(blocks, noise if isinstance(noise, Noise) else tuple(noise), family, variants)
    return bisect_left(needed, math.log1p(effect)) / len(needed)


@lru_cache(maxsize=64)
def _needed(
    blocks: Blocks, noise: Noise | tuple[float, ...], family: int, variants: int
) -> tuple[float, ...]:
    """For each replicate the smallest ln(1 + effect) that it would find at any look, ascending."""
    looks = looks_of(blocks)
    penalty = LOOKS_PENALTY if len(looks) > 1 and family > 1 else 1.0
    alpha = (1 - level_of(blocks)) / (family * penalty)
    rng = random.Random(1)
    needed = []
    for _ in range(REPLICATES):
        differences = _draw(noise, variants, looks[-1], rng)
        needed.append(min(-_lower_end(differences[:look], critical(look, alpha)) for look in looks))
    return tuple(sorted(needed))


def _draw(noise: Noise | tuple[float, ...], variants: int, blocks: int, rng: random.Random) -> list[float]:
    """Differences of one experiment without effect: measured ones centred, drawn anew and flipped."""
    if not isinstance(noise, Noise):
        middle = sorted(noise)[len(noise) // 2]
        return [rng.choice((-1, 1)) * (rng.choice(noise) - middle) for _ in range(blocks)]
    found = []
    for _ in range(blocks):
        first, second = rng.sample(range(variants), 2)
        drift = 2 * noise.drift_sd**2 * (1 - noise.drift_phi ** abs(first - second))
        outliers = (rng.random() < noise.outlier_share) - (rng.random() < noise.outlier_share)
        jump = outliers * math.log(noise.outlier_factor)
        found.append(rng.gauss(0, math.sqrt(drift + 2 * noise.run_sd**2)) + jump)
    return found


def _lower_end(differences: Sequence[float], k: int) -> float:
    """The (k+1)-th smallest Walsh average; minus infinity for k = -1, where no interval exists."""
    if k < 0:
        return -math.inf
    sums = (a + b for i, a in enumerate(differences) for b in differences[i:])
    return sorted(sums)[k] / 2
