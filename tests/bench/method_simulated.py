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
from itertools import product
from pathlib import Path

import numpy as np
from scipy import stats

from fuselab.compare.power import NOISY, QUIET
from fuselab.compare.signed_rank import Floats, untied_batch
from fuselab.records.design import Blocks

sys.path.insert(0, str(Path(__file__).parents[2]))  # the checkout
from tests.bench.simulate import Outcome, machine, simulate

TABLE = Path(__file__).with_name("method_table.csv")
STATED_EXPERIMENTS = 8000
NOISES = {"noisy": NOISY, "quiet": QUIET}
EFFECTS = (0.0, 0.03, 0.05, 0.10)

Test = Callable[[Floats, Floats], Floats]
"""ln(value) of baseline and variant, both (experiments, runs), to a p for each experiment."""


class Report:
    """Prints figures, remembers those that are off."""

    def __init__(self, experiments: int) -> None:
        self.experiments = experiments
        self.off: list[str] = []

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


def main(arguments: Iterable[str]) -> int:
    report = Report(int(next(iter(arguments), STATED_EXPERIMENTS)))
    print(f"{report.experiments} experiments each; ! marks a figure that simulation error does not explain")
    for part in (findings, errors, cost_of_many, orders, peeking):
        part(report)
    print("\n" + ("All as docs/method.md says." if not report.off else "Off:\n  " + "\n  ".join(report.off)))
    return 1 if report.off else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
