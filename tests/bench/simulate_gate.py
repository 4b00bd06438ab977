"""Pull requests on a simulated machine, gated as real ones are: who gets a comment, and who is stopped.

`python -m tests.bench.simulate_gate` prints the table of docs/pull-requests.md. One contrast, one primary metric, one
guard on it; the machine, its noise and the order of runs are those of `simulate`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from tests.bench.simulate import _differences

from fuselab.compare.comparisons import decide_look, judge
from fuselab.compare.power import NOISY, QUIET, Noise
from fuselab.compare.schedule import looks_of
from fuselab.records.comparison import Comparison
from fuselab.records.design import Blocks, Design, Guard
from fuselab.records.summary import Summary, SummaryGuard, SummaryRow
from fuselab.records.table import columns
from fuselab.report.comment import comment

LIMIT = 0.05
COUNTERS = ("work.syscalls_per_op", "work.fdatasync_per_op")
_ROW = {*columns(SummaryRow)} - {"control", "sentence", "accepted"}


@dataclass(frozen=True)
class Tries:
    comments: int
    outcomes: Sequence[str]
    """Of the guard on time."""
    blocks: Sequence[int]


def gate(noise: Noise, effect: float, blocks: Blocks, *, tries: int, seed: int, calls: float = 0.0) -> Tries:
    """`tries` pull requests that take `effect` longer (0.1: 10 %) and make `calls` more for each operation."""
    longest = looks_of(blocks)[-1]
    truth = np.log1p(np.array([[effect]]))
    (differences,) = _differences(noise, truth, longest, tries, np.random.default_rng(seed))
    return judged(differences, blocks, calls)


def judged(differences: Iterable[np.ndarray], blocks: Blocks, calls: float = 0.0) -> Tries:
    """Pull requests of which each has its ln(new / old) of a duration in so many blocks as `blocks` may take."""
    guards = (("duration", LIMIT), *((name, 0.0) for name in COUNTERS))
    design = Design(
        "e", "old", (("old", "new"),), ("load",), ("duration",), blocks=blocks,
        guards=tuple(Guard("load", "old", "new", name, limit) for name, limit in guards),
    )  # fmt: skip
    comments, outcomes, taken = 0, [], []
    for logs in differences:
        metrics = _metrics(logs, calls)
        look = looks_of(blocks)[0]
        while more := decide_look(_until(metrics, look), design, "load", look):
            look = more
        rows = judge(_until(metrics, look), design)
        comments += bool(comment(_summary(rows, design)))
        outcomes.append(next(row.guard_outcome for row in rows if row.metric == "duration"))
        taken.append(look)
    return Tries(comments, outcomes, taken)


def _metrics(logs: np.ndarray, calls: float) -> pd.DataFrame:
    timed = [
        ("duration", b, v, t)
        for b, log in enumerate(logs, 1)
        for v, t in (("old", 1.0), ("new", np.exp(log)))
    ]
    counted = [
        (c, b, v, 3 + calls * (v == "new")) for c in COUNTERS for b in range(1, 9) for v in ("old", "new")
    ]
    runs = pd.DataFrame([*timed, *counted], columns=["metric", "block", "variant", "value"])
    return runs.assign(experiment="e", workload="load", unit="s", better="lower")


def _until(metrics: pd.DataFrame, look: int) -> pd.DataFrame:
    return metrics[metrics["block"] <= look]


def _summary(rows: Sequence[Comparison], design: Design) -> Summary:
    primary = tuple(
        SummaryRow(**{name: getattr(row, name) for name in _ROW}, control=False, sentence="changed")
        for row in rows
        if row.family == "primary"
    )
    guards = tuple(
        SummaryGuard(
            row.workload, row.baseline, row.variant, row.metric, row.better, row.guard, row.guard_outcome,
            row.ratio, row.guard_bound, row.level, row.verdict, "guarded",
        )
        for row in rows
        if row.guard is not None
    )  # fmt: skip
    return Summary("e", "", "", "", (), design.threshold, 12, 0, (), primary, guards=guards)


def main() -> None:
    print("| machine | blocks | slower by | comments | broken | holds | could not tell | blocks taken |")
    print("|---|---|---:|---:|---:|---:|---:|---:|")
    for name, noise in (("quiet", QUIET), ("noisy", NOISY)):
        for blocks in (12, 32, "auto"):
            for effect in (0.0, 0.05, 0.10, 0.20):
                n = 400
                found = gate(noise, effect, blocks, tries=n, seed=7)
                of = [
                    f"{100 * found.outcomes.count(o) / n:.1f}" for o in ("broken", "holds", "could not tell")
                ]
                cells = (
                    name,
                    blocks,
                    f"{effect:.0%}",
                    f"{100 * found.comments / n:.1f}",
                    *of,
                    f"{np.mean(found.blocks):.0f}",
                )
                print("| " + " | ".join(map(str, cells)) + " |", flush=True)


if __name__ == "__main__":
    main()
