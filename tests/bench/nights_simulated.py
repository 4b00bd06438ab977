"""How soon a slowdown shows in nightly ratios, and how often one shows that is none.

`.venv/bin/python tests/bench/nights_simulated.py [SERIES]` (1,000 if none is given): 90 nights of 12 blocks on the
machines of docs/method.md, judged by the code that judges real ones. Exit code 1 if a page names more changes where
there is none than its level allows, if a price in `PENALTIES` does not, or if ratios are no better than the plain
figures of one variant.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from fuselab.compare.power import NOISY, QUIET, Noise
from fuselab.compare.signed_rank import Floats, untied_batch
from fuselab.history.change_points import ALPHA, FEWEST_IN_ALL, PENALTIES, change_points, level_starts

sys.path.insert(0, str(Path(__file__).parents[2]))  # the checkout
from tests.bench.simulate import machine

NIGHTS, BLOCKS, STEP_AT = 90, 12, 60
STEP = math.log(1.05)
AFTER = (7, 10, 14, 21)
BUMP = 14
PAGES_SHARE = 5
"""Every fifth series is looked at on each of its nights."""


def nights(noise: Noise, series: int) -> tuple[Floats, Floats]:
    """(ratios, plain figures) as logarithms, both (series, NIGHTS): of two equal programs, and of one by itself."""
    rng = np.random.default_rng(10)
    runs = machine(noise, series, NIGHTS * BLOCKS * 2, rng).reshape(series * NIGHTS, BLOCKS, 2)
    runs = rng.permuted(runs, axis=2)
    ratios = untied_batch(runs[:, :, 1] - runs[:, :, 0], 0.95)[0]
    return ratios.reshape(series, NIGHTS), np.median(runs[:, :, 1], axis=1).reshape(series, NIGHTS)


def any_change(series: Floats) -> float:
    return float(np.mean([bool(change_points(one)) for one in series]))


def on_any_page(series: Floats) -> float:
    """Share of series of which any night's page, up to the last, names a change."""
    lengths = range(FEWEST_IN_ALL, NIGHTS + 1)
    return float(np.mean([any(change_points(one[:n]) for n in lengths) for one in series]))


def seen(series: Floats, after: int) -> float:
    """Share of series in which a step of 5 % is on the page `after` nights later, its night among the plausible."""
    stepped = series[:, : STEP_AT + after].copy()
    stepped[:, STEP_AT:] += STEP
    return float(np.mean([_names(one, STEP_AT) for one in stepped]))


def repaired(series: Floats) -> float:
    """Share in which a slowdown of `BUMP` nights is still on the last page, both ends."""
    bumped = series.copy()
    bumped[:, STEP_AT - BUMP : STEP_AT] += STEP
    return float(np.mean([_names(one, STEP_AT - BUMP) and _names(one, STEP_AT) for one in bumped]))


def _names(series: Floats, night: int) -> bool:
    return any(change.first <= night <= change.last for change in change_points(series))


def prices(series: int) -> list[str]:
    """Which of `PENALTIES` lets more shuffled series through than ALPHA and chance explain."""
    rng = np.random.default_rng(11)
    off = []
    for count, price in PENALTIES.items():
        tried = max(200, min(series, 30_000 // count))
        shuffled = rng.permuted(np.broadcast_to(np.arange(1.0, count + 1), (tried, count)), axis=1)
        share = float(np.mean([bool(level_starts(ranks, price)) for ranks in shuffled]))
        if share > ALPHA + 3 * math.sqrt(ALPHA / tried):
            off.append(f"{count} nights: {100 * share:.1f} % of {tried} shuffled series have a change")
    return off


def shares(values: Sequence[float]) -> str:
    return " ".join(f"{100 * value:5.1f}" for value in values)


def main(arguments: Iterable[str]) -> int:
    series = int(next(iter(arguments), 1000))
    off = prices(series)
    pages = max(100, series // PAGES_SHARE)
    print(f"{series} series of {NIGHTS} nights ({pages} for any page), {BLOCKS} blocks each; shares in %.")
    heads = f"{'false: last page, any page':28}5 % seen after {AFTER} nights, repaired after {BUMP}"
    print(f"{'machine, series of':26}{heads}")
    for machine_name, noise in (("noisy", NOISY), ("quiet", QUIET)):
        found = {}
        for kind, values in zip(("ratios", "plain figures"), nights(noise, series), strict=True):
            last, page = any_change(values), on_any_page(values[:pages])
            found[kind] = last, [seen(values, after) for after in AFTER]
            said = f"{shares([last, page]):28}{shares([*found[kind][1], repaired(values)])}"
            print(f"{machine_name + ', ' + kind:26}{said}", flush=True)
        if found["ratios"][0] > ALPHA + 3 * math.sqrt(ALPHA / series):
            off.append(f"{machine_name}: {100 * found['ratios'][0]:.1f} % false on the last page")
        if not all(r >= p for r, p in zip(found["ratios"][1], found["plain figures"][1], strict=True)):
            off.append(f"{machine_name}: plain figures see a step sooner than ratios")
    print("\n".join(["", *(off or ["As it should be."])]))
    return 1 if off else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
