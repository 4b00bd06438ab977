"""Bisects on a simulated machine, searched by the code that searches real ones: how often right, and how long?

Usage: python -m tests.bench.simulate_bisect [--bisects N]

Sixteen revisions, a change planted in one of the fifteen behind the good end, the machines of docs/method.md: runs
drift from one to the next, scatter, and are outliers; every build has a speed of its own. A run takes 5 s, a build
60 s, a call 10 s.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from fuselab.compare import first_bad
from fuselab.compare.power import NOISY, QUIET, Noise
from fuselab.compare.schedule import LOOK_LEVEL, LOOKS
from fuselab.compare.signed_rank import infer

COMMITS = 15
BLOCK_S, BUILD_S, CALL_S = 10.0, 60.0, 10.0
THRESHOLD = 0.05


@dataclass(frozen=True)
class Outcome:
    """Of one bisect."""

    ended: str
    """found, nothing or unsure."""
    right: bool
    """Whether the commit that was named has the change."""
    blocks: int
    builds: int
    minutes: float


class Blocks(Protocol):
    def blocks(self, commit: int, count: int) -> list[float]:
        """ln(time of the commit / time of the good end) of so many blocks."""


class Machine:
    """What a block of each commit against the good end would give."""

    def __init__(
        self, noise: Noise, effect: float, first: int, wobble: float, rng: np.random.Generator
    ) -> None:
        self._noise, self._rng, self._drift = noise, rng, rng.normal(0, noise.drift_sd)
        speeds = rng.normal(0, wobble, COMMITS + 1)
        self._speeds = speeds[1:] - speeds[0] + np.where(np.arange(COMMITS) >= first, np.log1p(effect), 0.0)

    def blocks(self, commit: int, count: int) -> list[float]:
        return [self._block(commit) for _ in range(count)]

    def _block(self, commit: int) -> float:
        runs = [self._run(), self._run()]
        if self._rng.random() < 0.5:
            runs.reverse()
        return float(runs[1] - runs[0] + self._speeds[commit])

    def _run(self) -> float:
        noise, rng = self._noise, self._rng
        kept = noise.drift_phi
        self._drift = kept * self._drift + rng.normal(0, noise.drift_sd * np.sqrt(1 - kept**2))
        outlier = np.log(noise.outlier_factor) if rng.random() < noise.outlier_share else 0.0
        return float(self._drift + rng.normal(0, noise.run_sd) + outlier)


def bisect(
    noise: Noise, effect: float, first: int, *, seed: int, broken: Sequence[int] = (), certainty: float = 0.95,
    wobble: float = 0.005,
) -> Outcome:  # fmt: skip
    """One search for the change planted in `first`; `broken` do not build."""
    machine = Machine(noise, effect, first, wobble, np.random.default_rng(seed))
    return searched(machine, first, broken=broken, certainty=certainty, changed=effect != 0)


def searched(
    machine: Blocks, first: int, *, broken: Sequence[int] = (), certainty: float = 0.95, changed: bool = True
) -> Outcome:
    """One search on a machine on which the commits from `first` on are `changed`."""
    seen: dict[int, list[float]] = {COMMITS - 1: []}
    seconds, builds = 2 * BUILD_S, 2
    for look in LOOKS:
        ends = seen[COMMITS - 1]
        ends += machine.blocks(COMMITS - 1, look - len(ends))
        seconds += CALL_S + BLOCK_S * look
        found = infer(ends, LOOK_LEVEL)
        matters = max(-(found.low or 0), found.high or 0) > np.log1p(THRESHOLD)
        if (differ := found.p <= 1 - LOOK_LEVEL) or not matters:
            break
    if not (differ and matters):
        return Outcome("nothing", not changed, len(seen[COMMITS - 1]), builds, seconds / 60)
    untestable: set[int] = set()

    def takes(commit: int, blocks: int) -> float:
        return CALL_S + BLOCK_S * blocks + BUILD_S * (commit not in seen)

    while True:
        belief = first_bad.believe(COMMITS, seen, first_bad.WOBBLE)
        group, sure = first_bad.likeliest(belief, first_bad.classes(COMMITS, untestable))
        blocks = sum(map(len, seen.values()))
        allowed = {
            i: first_bad.MOST_BLOCKS - len(seen.get(i, ())) for i in range(COMMITS) if i not in untestable
        }
        step = first_bad.next_step(belief, allowed, takes, first_bad.WOBBLE)
        if sure >= certainty or step is None:
            ended = "found" if sure >= certainty else "unsure"
            return Outcome(ended, first in group, blocks, builds, seconds / 60)
        seconds += takes(step.commit, step.blocks)
        builds += step.commit not in seen
        if step.commit in broken:
            untestable.add(step.commit)
        else:
            seen.setdefault(step.commit, []).extend(machine.blocks(step.commit, step.blocks))


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--bisects", type=int, default=400, help="in each row")
    options = parser.parse_args(arguments)
    print(
        "| machine | slower by | right | another commit | not sure | nothing found | blocks | builds | minutes |"
    )
    print("|---|---|---:|---:|---:|---:|---:|---:|---:|")
    for name, noise in (("quiet", QUIET), ("noisy", NOISY)):
        for effect in (0.0, 0.03, 0.05, 0.10, 0.20):
            found = [
                bisect(noise, effect, seed % COMMITS, seed=1000 + seed) for seed in range(options.bisects)
            ]
            print(f"| {name} | {100 * effect:.0f} % | {_row(found)} |", flush=True)
    return 0


def _row(found: Sequence[Outcome]) -> str:
    def share(ended: str, right: bool | None = None) -> str:
        here = sum(each.ended == ended and right in (None, each.right) for each in found)
        return f"{100 * here / len(found):.1f}"

    shares = [share("found", True), share("found", False), share("unsure"), share("nothing")]
    typical = [np.mean([getattr(each, of) for each in found]) for of in ("blocks", "builds", "minutes")]
    return " | ".join([*shares, *(f"{value:.0f}" for value in typical)])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
