"""The figures of docs/method.md beside those of this code: simulated experiments, decided as real ones are.

Run it with the checkout's Python: `.venv/bin/python tests/bench/method_simulated.py [EXPERIMENTS]` (8,000, the
number behind docs/method.md, if none is given). Exit code 1 if a figure is further off than rounding and four standard
errors of both simulations explain, or an error rate or coverage is beyond its bound by more than three.
"""

from __future__ import annotations

import csv
import math
import sys
from collections.abc import Callable, Iterable
from itertools import pairwise, product
from pathlib import Path

import numpy as np
from scipy import stats

from fuselab.compare.counting import apart_p
from fuselab.compare.power import NOISY, QUIET, Noise
from fuselab.compare.schedule import block_order, point_seed
from fuselab.compare.signed_rank import Floats, Ints, untied_batch
from fuselab.records.design import Blocks

sys.path.insert(0, str(Path(__file__).parents[2]))  # the checkout
from tests.bench.simulate import Outcome, machine, simulate
from tests.bench.simulate_counts import COUNTS as KINDS
from tests.bench.simulate_counts import apart, deal
from tests.bench.simulate_curves import knees, level_intervals, said_too_high, typical

TABLE = Path(__file__).with_name("method_table.csv")
STATED_EXPERIMENTS = 8000
NOISES = {"noisy": NOISY, "quiet": QUIET}
STEADY = Noise(drift_sd=0.0, run_sd=0.05, outlier_share=0.05)
"""Blocks that have nothing in common."""
EFFECTS = (0.0, 0.03, 0.05, 0.10)

Test = Callable[[Floats, Floats], Floats]
"""ln(value) of baseline and variant, both (experiments, runs), to a p for each experiment."""


class Report:
    """Prints figures, remembers those that are off."""

    def __init__(self, experiments: int, off: list[str] | None = None) -> None:
        self.experiments = experiments
        self.off: list[str] = [] if off is None else off

    def share(self, name: str, got: float, stated_percent: float) -> str:
        """`got` (a fraction) beside the page's whole percents; `!` marks one that is off."""
        stated = stated_percent / 100
        spread = max(stated * (1 - stated), 0.002)
        margin = 0.005 + 4 * math.sqrt(spread / self.experiments + spread / STATED_EXPERIMENTS)
        return self._mark(f"{100 * got:5.1f} ({stated_percent:.0f})", abs(got - stated) > margin, name)

    def bound(self, name: str, got: float, low: float, high: float) -> str:
        spread = 3 * math.sqrt(got * (1 - got) / self.experiments)
        return self._mark(f"{100 * got:5.1f}", not low - spread <= got <= high + spread, name)

    def _mark(self, text: str, off: bool, name: str) -> str:
        if off:
            self.off.append(f"{name}: {text}")
        return text + ("!" if off else " ")


def blocks_of(text: str) -> Blocks:
    return "auto" if text == "auto" else int(text)


def findings(report: Report) -> None:
    print("\nWhat is found. D: faster or slower, N: no difference shown, in %; docs/method.md in brackets.")
    print(
        f"{'machine, effect':16}{'blocks':>7}   {'D':14}{'N':14}{'mean blocks':14}{'coverage':10}half-width"
    )
    with TABLE.open() as file:
        rows = list(csv.DictReader(file))
    for number, row in enumerate(rows):
        effect, blocks = float(row["effect"]), blocks_of(row["blocks"])
        outcome = simulate(
            NOISES[row["noise"]], [[effect]], blocks, experiments=report.experiments, seed=number
        )
        name = f"{row['noise']} {effect:.0%}, {blocks} blocks"
        print(f"{row['noise'] + f' {effect:.0%}':16}{blocks!s:>7}  ", end="")
        print(f"{report.share(name + ', D', outcome.different.mean(), float(row['different'])):14}", end="")
        print(
            f"{report.share(name + ', N', outcome.no_difference.mean(), float(row['no_difference'])):14}",
            end="",
        )
        mean = f"{outcome.blocks.mean():.1f} ({row['mean_blocks']})" if row["mean_blocks"] else ""
        bounds = (0.95, 1.0) if blocks == "auto" else (0.94, 0.97)
        covered = report.bound(name + ", coverage", outcome.covered.mean(), *bounds)
        print(f"{mean:14}{covered:10}{100 * np.median(outcome.half_widths):.2f}")


DESIGNS = {"1 metric, 1 contrast": (1, 1), "6 metrics, 1 contrast": (1, 6), "6 metrics, 2 contrasts": (2, 6)}
COUNTS: tuple[Blocks, ...] = (12, 20, 32, "auto")


def errors(report: Report) -> None:
    print("\nNothing differs: share of experiments with any verdict of faster or slower, in % (at most 5).")
    print(f"{'design':26}" + "".join(f"{f'{noise} {blocks}':>12}" for noise in NOISES for blocks in COUNTS))
    for name, shape in DESIGNS.items():
        cells = []
        for noise, blocks in product(NOISES.values(), COUNTS):
            nothing = np.zeros(shape).tolist()
            outcome = simulate(noise, nothing, blocks, experiments=report.experiments, seed=99)
            cells.append(report.bound(f"{name}, {blocks} blocks", any_different(outcome), 0, 0.05))
        print(f"{name:26}" + "".join(f"{cell:>12}" for cell in cells))


def any_different(outcome: Outcome) -> float:
    return float(outcome.different.any(axis=1).mean())


def curves(report: Report) -> None:
    print(
        "\nCurves of which nothing differs: share called different over the whole, in % (at most 5), 12 blocks."
    )
    rng = np.random.default_rng(95)
    for name, noise in NOISES.items():
        cells = []
        for points in (2, 4, 8, 16):
            runs = machine(noise, report.experiments, 12 * points * 2, rng).reshape(-1, 12, points, 2)
            placed = np.take_along_axis(runs, _orders(points)[np.arange(len(runs)) % _SEEDS], axis=3)
            means = (placed[..., 1] - placed[..., 0]).mean(axis=2)
            share = float((untied_batch(means, 0.95)[3] <= 0.05).mean())
            cells.append(
                f"{points:4} points {report.bound(f'{name} curve of {points} points', share, 0, 0.05)}"
            )
        print(f"  {name:8}" + "".join(cells))


SHAPES = ((2, 2), (4, 2), (8, 2), (8, 4))
"""Points and variants of a sweep: the more runs lie between two blocks, the less these have in common."""
HELD = {"steady": (97, 97, 97, 97), "noisy": (78, 87, 92, 95), "quiet": (76, 86, 91, 95)}
TOO_HIGH = {"steady": (2, 2, 2, 2), "noisy": (11, 6, 4, 3), "quiet": (13, 8, 5, 3)}


def levels(report: Report) -> None:
    """Of fewer experiments: each takes as long as a thousand of the others."""
    few = Report(max(1, report.experiments // 8), report.off)
    print(
        "\nLevels of a curve: intervals that hold the truth, and limits said to be kept to a higher value than they"
    )
    print(f"are, in %; {few.experiments} experiments.")
    print(f"  {'points, variants':10}" + "".join(f"{f'{p}, {v}':>24}" for p, v in SHAPES))
    for name, noise in {"steady": STEADY, **NOISES}.items():
        cells, truth = [], typical(noise)
        for i, (points, variants) in enumerate(SHAPES):
            found = level_intervals(noise, few.experiments, points=points, variants=variants, seed=94)
            held = float(np.mean([low <= truth <= high for low, high in found]))
            high = said_too_high(noise, few.experiments, points=points, variants=variants, seed=93)
            shape = f"{name}, {points} points of {variants} variants"
            cells.append(
                few.share(f"level, {shape}", held, HELD[name][i])
                + few.share(f"limit, {shape}", high, TOO_HIGH[name][i])
            )
        print(f"  {name:10}" + "".join(f"{cell:>24}" for cell in cells))


def resampled_knees(report: Report) -> None:
    """The share of resamples is to be how often the knee is the right one."""
    few = Report(max(1, report.experiments // 8), report.off)
    print(f"\nKnees: mean share of resamples, and right ones, in %; {few.experiments} experiments.")
    for name, noise in NOISES.items():
        shares, right = knees(noise, few.experiments, seed=92)
        for low, high in pairwise((0.0, 0.5, 0.8, 0.95, 1.01)):
            here = (shares >= low) & (shares < high)
            if here.any():
                print(
                    f"  {name:8}{100 * low:3.0f} to {min(100, 100 * high):3.0f} %: {here.sum():5} knees, said "
                    f"{100 * shares[here].mean():5.1f}, right {100 * right[here].mean():5.1f}"
                )
        off = abs(float(right.mean() - shares.mean()))
        print(f"  {name:8}all: {few.bound(f'knees, {name}: said - right', off, 0, 0.03)}apart")


_SEEDS = 100


def _orders(points: int) -> Ints:
    """Where each of two variants stands in each block of each point: (seeds, blocks, points, variants)."""
    names = ["a", "b"]
    return np.array(
        [
            [
                [
                    [block_order(names, block, point_seed(seed, f"p{point}")).index(name) for name in names]
                    for point in range(points)
                ]
                for block in range(1, 13)
            ]
            for seed in range(_SEEDS)
        ]
    )


def cost_of_many(report: Report) -> None:
    print("\nA 10 % effect in one of six metrics, 12 blocks, noisy: found in %. docs/method.md says 37.")
    effects = [[0.10] + [0.0] * 5, [0.0] * 6]
    for name, contrasts in (
        ("family of 12 (two contrasts)", effects),
        ("family of 6 (one contrast)", effects[:1]),
    ):
        outcome = simulate(NOISY, contrasts, 12, experiments=report.experiments, seed=98)
        print(f"  {name:30}{100 * outcome.different[:, 0].mean():5.1f}")


def signed_rank(before: Floats, after: Floats) -> Floats:
    return untied_batch(after - before, 0.95)[3]


def welch(before: Floats, after: Floats) -> Floats:
    return np.asarray(stats.ttest_ind(before, after, axis=1, equal_var=False).pvalue)


def mann_whitney(before: Floats, after: Floats) -> Floats:
    return np.asarray(stats.mannwhitneyu(before, after, axis=1).pvalue)


def sequential(runs: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
    half = runs.shape[1] // 2
    return runs[:, :half], runs[:, half:]


def shuffled(runs: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
    return sequential(rng.permuted(runs, axis=1), rng)


def in_blocks(runs: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
    pairs = rng.permuted(runs.reshape(len(runs), -1, 2), axis=2)
    return pairs[:, :, 0], pairs[:, :, 1]


ORDERS: tuple[tuple[str, Callable[..., tuple[Floats, Floats]], Test, tuple[str, str, str]], ...] = (
    ("all A, then all B; Welch t", sequential, welch, ("12/14/19/35", "21/23/26/39", "30/33/36/49")),
    ("all A, then all B; Mann-Whitney", sequential, mann_whitney, ("13/16/21/40", "34/37/43/63", "54/56/59/73")),
    ("random order; Mann-Whitney", shuffled, mann_whitney, ("3/6/12/35", "4/11/24/63", "5/18/38/85")),
    ("blocks; signed rank", in_blocks, signed_rank, ("0/0/0/0", "5/14/29/58", "5/24/53/91")),
)  # fmt: skip


def orders(report: Report) -> None:
    print("\nWhy the order matters: share called different at a true effect of 0 / 3 / 5 / 10 %, noisy.")
    print(f"{'order and test':34}" + "".join(f"{f'{n} runs each':>44}" for n in (5, 10, 20)))
    rng = np.random.default_rng(97)
    for name, arrange, test, stated in ORDERS:
        cells = []
        for runs, text in zip((5, 10, 20), stated, strict=True):
            before, after = arrange(machine(NOISY, report.experiments, 2 * runs, rng), rng)
            got = [float((test(before, after + math.log1p(effect)) <= 0.05).mean()) for effect in EFFECTS]
            figures = map(float, text.split("/"))
            cells.append(
                "/".join(
                    report.share(f"{name}, {runs} runs", g, s) for g, s in zip(got, figures, strict=True)
                )
            )
        print(f"{name:34}" + "".join(f"{cell:>44}" for cell in cells))


def peeking(report: Report) -> None:
    rng = np.random.default_rng(96)
    before, after = in_blocks(machine(NOISY, report.experiments, 64, rng), rng)
    ps = [signed_rank(before[:, :n], after[:, :n]) for n in range(6, 33)]
    share = float((np.min(ps, axis=0) <= 0.05).mean())
    print(
        f"\nLooking after every block from 6 to 32 until p is below 5 %: {report.share('peeking', share, 21)}"
    )


COUNTERS, COUNTED_RUNS = 40, 8
SHIFTS = (4, 6, 8, 10)
"""Of a counter that scatters, in its own standard deviations."""


def counters(report: Report) -> None:
    """Of so many counters that scatter, the signed-rank test of 8 blocks names none at all: p is 1 / 128 at best."""
    print(
        f"\n{COUNTERS} counters, {COUNTED_RUNS} runs a side: experiments without a difference that name any, in %."
    )
    print("In brackets the most that coins can do. Then: found at so many standard deviations.")
    most = 1 - (1 - apart_p(COUNTED_RUNS)) ** COUNTERS
    for number, (name, count) in enumerate(KINDS.items()):
        rng = np.random.default_rng(200 + number)
        sides = [deal(count, COUNTERS, COUNTED_RUNS, e, rng) for e in range(report.experiments)]
        named = np.array([apart(before, after).any() for before, after in sides]).mean()
        shown = report.bound(f"counters, {name}", float(named), 0, most)
        found = [np.mean([apart(one, other + 0.02 * d) for one, other in sides[:200]]) for d in SHIFTS]
        shifts = "  ".join(f"{100 * share:5.1f} at {d}" for share, d in zip(found, SHIFTS, strict=True))
        print(
            f"  {name:14}{shown} ({100 * most:.2f})   "
            + (shifts if name in ("scattering", "drifting") else "")
        )


def main(arguments: Iterable[str]) -> int:
    report = Report(int(next(iter(arguments), STATED_EXPERIMENTS)))
    print(f"{report.experiments} experiments each; ! marks a figure that simulation error does not explain")
    for part in (findings, errors, curves, levels, resampled_knees, cost_of_many, orders, peeking, counters):
        part(report)
    print("\n" + ("All as docs/method.md says." if not report.off else "Off:\n  " + "\n  ".join(report.off)))
    return 1 if report.off else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
