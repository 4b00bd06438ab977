"""Counters of a program that is compared with itself, judged by the same code as real ones: does chance name any?

Each kind of count is what consecutive runs of one unchanging program come to; the runs are dealt to two sides in the
order of real blocks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from fuselab.compare.counting import compared, corrected
from fuselab.compare.schedule import block_order
from fuselab.compare.signed_rank import Floats
from fuselab.records.comparison import Comparison

Shape = tuple[int, int]
Count = Callable[[Shape, np.random.Generator], Floats]
"""(counters, runs) to what each run counts of each."""
_THRESHOLD = 0.05
_SCHEDULES = 400


def coins(shape: Shape, rng: np.random.Generator) -> Floats:
    """One of two values, by the toss of a coin: the most likely to look like two counts that repeat."""
    return rng.integers(1, 3, shape).astype(np.float64)


def sticking(shape: Shape, rng: np.random.Generator) -> Floats:
    """One of two values, mostly that of the run before."""
    return np.asarray(1.0 + np.cumsum(rng.random(shape) < 0.15, axis=1) % 2, dtype=np.float64)


def alternating(shape: Shape, rng: np.random.Generator) -> Floats:
    """One of two values, never that of the run before: what a run leaves behind is felt by the next."""
    first = rng.integers(0, 2, (shape[0], 1))
    return np.asarray(1.0 + (np.arange(shape[1]) + first) % 2, dtype=np.float64)


def rare(shape: Shape, rng: np.random.Generator) -> Floats:
    """An event in every second run, on average."""
    return rng.poisson(0.5, shape).astype(np.float64)


def scattering(shape: Shape, rng: np.random.Generator) -> Floats:
    return np.asarray(1 + rng.normal(0, 0.02, shape), dtype=np.float64)


def drifting(shape: Shape, rng: np.random.Generator) -> Floats:
    """More and more of it, or less and less, as the experiment goes on."""
    return np.asarray(
        scattering(shape, rng) + np.cumsum(rng.normal(0, 0.02, shape), axis=1), dtype=np.float64
    )


def jumping(shape: Shape, rng: np.random.Generator) -> Floats:
    """From one level to another somewhere in the experiment."""
    later = np.arange(shape[1]) >= rng.integers(0, shape[1], (shape[0], 1))
    return np.asarray(scattering(shape, rng) + 0.5 * later, dtype=np.float64)


COUNTS: Mapping[str, Count] = {
    "coins": coins,
    "sticking": sticking,
    "alternating": alternating,
    "rare": rare,
    "scattering": scattering,
    "drifting": drifting,
    "jumping": jumping,
}


def verdicts(count: Count, *, counters: int, runs: int, experiments: int, seed: int) -> list[list[str]]:
    """On all counters of each experiment, by the code that judges real ones."""
    rng = np.random.default_rng(seed)
    dealt = (deal(count, counters, runs, number, rng) for number in range(experiments))
    return [_judged(before, after) for before, after in dealt]


def deal(
    count: Count, counters: int, runs: int, schedule: int, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """What both sides count, each (counters, runs)."""
    pairs = count((counters, 2 * runs), rng).reshape(counters, runs, 2)
    first = [block_order(("a", "b"), block, schedule % _SCHEDULES)[0] == "a" for block in range(1, runs + 1)]
    return np.where(first, pairs[:, :, 0], pairs[:, :, 1]), np.where(first, pairs[:, :, 1], pairs[:, :, 0])


def _judged(before: Floats, after: Floats) -> list[str]:
    rows = [
        compared(
            Comparison("simulated", "write", "a", "b", f"work.c{n}_per_op", blocks=len(sides), family="work"),
            sides,
            _THRESHOLD,
        )
        for n, sides in enumerate(_frames(before, after))
    ]
    return [row.verdict for row in corrected(rows, _THRESHOLD)]


def _frames(before: Floats, after: Floats) -> list[pd.DataFrame]:
    return [pd.DataFrame({"before": one, "after": other}) for one, other in zip(before, after, strict=True)]


def apart(before: Floats, after: Floats) -> npt.NDArray[np.bool_]:
    """As `counting.apart`, of many counters at once: (..., runs) to (...)."""
    gap = np.maximum(after.min(axis=-1) - before.max(axis=-1), before.min(axis=-1) - after.max(axis=-1))
    return np.asarray(gap > np.maximum(np.ptp(before, axis=-1), np.ptp(after, axis=-1)))
