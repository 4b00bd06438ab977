"""Pull requests and bisects whose blocks are drawn from those of one real experiment: who is told what, how often?

    python -m tests.bench.replay FOLDER

FOLDER is the `results/<experiment>` of a baseline, its control (what changes nothing) and a variant that is known to be
slower, in many blocks, as `EXPERIMENT` of method_real has them. Each pull request draws its blocks from theirs without
putting any back, in the order of the draw, and is gated as `simulate_gate` gates simulated ones. A bisect of sixteen
revisions, searched as `simulate_bisect` does, draws blocks of commits before the planted one from the control's and of
the others from the slow variant's, and may draw one twice. What is planted in a program takes another share of the time
where processors are short, so the control's own blocks are drawn too with 10 % added to each by arithmetic.

What is real: each ratio, as the clock of that machine gave it beside whatever else it did. What is not: tries share
blocks, so 40 of them say less than 40 experiments would, and a drift over minutes is shuffled.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from tests.bench.simulate_bisect import COMMITS, searched
from tests.bench.simulate_gate import judged

from fuselab.compare.schedule import looks_of
from fuselab.records.design import Blocks
from fuselab.records.places import Home

METRIC, BASELINE, CONTROL = "write.bw", "baseline", "control"
TRIES, BISECTS, ADDED = 40, 20, 0.1
DESIGNS: tuple[Blocks, ...] = (12, "auto")


def ratios(metrics: pd.DataFrame) -> dict[str, np.ndarray]:
    """By variant: ln of the time that it took / the baseline took for the same bytes, of each block that has both."""
    by_block = metrics[metrics["metric"] == METRIC].pivot(index="block", columns="variant", values="value")
    others = [name for name in by_block if name != BASELINE]
    return {str(name): np.log((by_block[BASELINE] / by_block[name]).dropna().to_numpy()) for name in others}


def draws(measured: np.ndarray, blocks: Blocks, tries: int, seed: int) -> Iterator[np.ndarray]:
    rng = np.random.default_rng(seed)
    for _ in range(tries):
        yield rng.choice(measured, size=looks_of(blocks)[-1], replace=False)


@dataclass(frozen=True)
class Replayed:
    """The blocks of a bisect. Shape of each array: one ratio a block."""

    same: np.ndarray
    slower: np.ndarray
    first: int
    rng: np.random.Generator

    def blocks(self, commit: int, count: int) -> list[float]:
        pool = self.same if commit < self.first else self.slower
        return [float(each) for each in self.rng.choice(pool, size=count)]


def main(folder: Path) -> None:
    measured = ratios(pd.read_csv(Home(folder).metrics))
    measured[f"{CONTROL}, made {ADDED:.0%} longer"] = measured[CONTROL] + np.log1p(ADDED)
    for name, found in measured.items():
        low, middle, high = 100 * np.expm1(np.percentile(found, (25, 50, 75)))
        print(
            f"{name}: {len(found)} blocks, {middle:+.1f} % longer (median; quartiles {low:+.1f} and {high:+.1f} %)"
        )
        for blocks in DESIGNS:
            gated = judged(draws(found, blocks, TRIES, seed=7), blocks)
            broken = gated.outcomes.count("broken")
            print(
                f"  blocks: {blocks}: comment in {gated.comments} of {TRIES}, guard of 5 % broken in {broken}"
            )
        if name == CONTROL:
            continue
        firsts = [number % COMMITS for number in range(BISECTS)]
        rngs = map(np.random.default_rng, range(BISECTS))
        outcomes = [
            searched(Replayed(measured[CONTROL], found, first, rng), first)
            for first, rng in zip(firsts, rngs, strict=True)
        ]
        right = sum(each.right and each.ended == "found" for each in outcomes)
        taken = np.mean([each.blocks for each in outcomes])
        print(
            f"  bisects: right in {right} of {BISECTS}, {taken:.0f} blocks each; {Counter(o.ended for o in outcomes)}"
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
