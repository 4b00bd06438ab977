"""How soon a slowdown shows in nightly ratios, and how often one shows that is none: METHOD.md's tenth point.

`.venv/bin/python tests/bench/nights_simulated.py [SERIES]` (1,000 if none is given): 90 nights of 12 blocks on the
machines of METHOD.md, judged by the code that judges real ones. Exit code 1 if a page names more changes where there is
none than its level allows, or if ratios are no better than the plain figures of one variant.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Sequence

import numpy as np

from fuselab.compare.power import NOISY, QUIET, Noise
from fuselab.compare.signed_rank import Floats, untied_batch
from fuselab.compare.simulate import machine
from fuselab.history.change_points import ALPHA, FEWEST_NIGHTS, change_points

NIGHTS, BLOCKS, STEP_AT = 90, 12, 60
STEP = math.log(1.05)
AFTER = (7, 10, 14, 21)


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
    lengths = range(2 * FEWEST_NIGHTS, NIGHTS + 1)
    return float(np.mean([any(change_points(one[:n]) for n in lengths) for one in series]))


def seen(series: Floats, after: int) -> float:
    """Share of series in which a step of 5 % is on the page `after` nights later, at most three nights off."""
    stepped = series[:, : STEP_AT + after].copy()
    stepped[:, STEP_AT:] += STEP
    near = [any(abs(c.index - STEP_AT) <= 3 for c in change_points(one)) for one in stepped]
    return float(np.mean(near))


def shares(values: Sequence[float]) -> str:
    return " ".join(f"{100 * value:5.1f}" for value in values)


def main(arguments: Iterable[str]) -> int:
    series = int(next(iter(arguments), 1000))
    off = []
    print(f"{series} series of {NIGHTS} nights, {BLOCKS} blocks each; shares in %.")
    print(f"{'machine, series of':26}{'false: last page, any page':28}5 % seen after {AFTER} nights")
    for machine_name, noise in (("noisy", NOISY), ("quiet", QUIET)):
        found = {}
        for kind, values in zip(("ratios", "plain figures"), nights(noise, series), strict=True):
            last, pages = any_change(values), on_any_page(values[: max(100, series // 5)])
            found[kind] = last, [seen(values, after) for after in AFTER]
            print(
                f"{machine_name + ', ' + kind:26}{shares([last, pages]):28}{shares(found[kind][1])}",
                flush=True,
            )
        # A second change in a part may be claimed too, so the page as a whole errs a little more than one look.
        if found["ratios"][0] > 1.5 * ALPHA + 3 * math.sqrt(ALPHA / series):
            off.append(f"{machine_name}: {100 * found['ratios'][0]:.1f} % false on the last page")
        if not all(r >= p for r, p in zip(found["ratios"][1], found["plain figures"][1], strict=True)):
            off.append(f"{machine_name}: plain figures see a step sooner than ratios")
    print("\n".join(["", *(off or ["As it should be."])]))
    return 1 if off else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
