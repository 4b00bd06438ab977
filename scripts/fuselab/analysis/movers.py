"""Which functions moved between two sides, told from noise by the spread between repeated captures.

Two or three captures a side are too few to estimate each function's own noise, so the functions lend each other
theirs: the variance between repeats is modelled over all functions as `a * mean + (b * mean)^2` (sampling, which
grows like the count, and drift, which grows like the value), and each function's own variance is shrunk towards
the model's, as limma does for genes (Smyth 2004, doi:10.2202/1544-6115.1027). A difference is a mover when its
moderated t is beyond the 5 % level after Bonferroni over every figure looked at.

What is sampled varies at least as counts do, whatever three repeats say: of allocations that two dumps in three sample,
one in 45 is seen by all three captures of one side and by none of the other. The variance is therefore at least
`sample_value * mean`; for a heap that is the limit of small objects, and above the true one for large. With a single
capture a side that is all that is known of the noise: it tells what did not move, and nothing of what did.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from fuselab import foreign
from fuselab.analysis.folded import Folded, Share, functions, renamed
from fuselab.analysis.symbols.short import enclosing
from fuselab.records.profile import Scale

LEVEL = 0.05
PRIOR_DEGREES = 12.0
"""Weight of the common noise model, in degrees of freedom, beside a function's own."""
SMALLEST_SHARE = 0.002
"""Functions below this share of both sides' totals are not looked at: a few samples."""
CANNOT_TELL = "cannot tell"
STOOD_STILL = "no"

_UNITS: Mapping[Scale, str] = {"per operation": "{} per operation", "as it is": "{}", "by share": "% of {}"}
_SCALES: Mapping[Scale, str] = {
    "per operation": "Values are per operation of each side's own load.",
    "as it is": "Values are not scaled.",
    "by share": "Values are shares of each side's own total: how much work was done for it, nothing tells.",
}

Array = NDArray[np.float64]
_Figures = tuple[float, float, float, float]


@dataclass(frozen=True)
class Side:
    """The captures of one side: folded stacks of each, with what its load did."""

    captures: Sequence[Folded]
    operations: Sequence[int]
    bytes: Sequence[int]


@dataclass(frozen=True)
class Mover:
    """One function. `self` is where it is the leaf of a stack, `total` wherever it stands. Values are in `unit`, which
    says what they were brought to; `_per_mib` per MiB moved, None where nothing was or nothing is counted by it."""

    function: str
    moved: str
    """`self`, `total`, `both`, `no`, or with a single capture a side `cannot tell` where it is not `no`."""
    baseline_self: float
    variant_self: float
    difference_self: float
    noise_self: float
    """Standard error of `difference_self`; NaN with a single capture a side."""
    baseline_total: float
    variant_total: float
    difference_total: float
    noise_total: float
    difference_self_per_mib: float | None
    difference_total_per_mib: float | None
    unit: str


@dataclass(frozen=True)
class Movers:
    """Movers first, then by the size of the difference; what the table can tell, and what values were brought to."""

    rows: list[Mover]
    note: str
    scale: Scale


def find_movers(baseline: Side, variant: Side, compared: Scale, sample_value: float = 0.0) -> Movers:
    """What moved, by function. Values stay as they are where they are to be per operation and nobody counted those.

    `sample_value` is what one sample stands for, in the profile's unit; 0 where everything is counted.
    Raises ValueError if a side has no capture.
    """
    counts = len(baseline.captures), len(variant.captures)
    if not all(counts):
        raise ValueError("a side without captures")
    operations = np.array([*baseline.operations, *variant.operations], dtype=float)
    mib = np.array([*baseline.bytes, *variant.bytes], dtype=float) / 2**20
    percent = np.array([folded.total for side in (baseline, variant) for folded in side.captures]) / 100
    scale: Scale = "as it is"
    load = np.ones(sum(counts))
    if compared == "per operation" and operations.all():
        scale, load = compared, operations
    elif compared == "by share" and percent.all():
        scale, load = compared, percent
    names, values = _values([*baseline.captures, *variant.captures])
    own, total = (_judge(part / load, counts[0], sample_value / load) for part in values)
    by_mib: list[Sequence[float | None]] = [[None] * len(names)] * 2
    if compared == "per operation" and mib.all():
        means = [_means(part / mib, counts[0]) for part in values]
        by_mib = [(after - before).tolist() for before, after in means]
    repeated = min(counts) >= 2
    critical = _critical(2 * len(names), sum(counts) - 2) if names else math.inf
    unit = _UNITS[scale].format(baseline.captures[0].unit)
    rows = [
        Mover(
            name,
            _moved(mine, whole, critical, repeated),
            *(mine if repeated else (*mine[:-1], math.nan)),
            *(whole if repeated else (*whole[:-1], math.nan)),
            own_mib,
            total_mib,
            unit,
        )
        for name, mine, whole, own_mib, total_mib in zip(names, own, total, by_mib[0], by_mib[1], strict=True)
    ]
    rows.sort(
        key=lambda r: (r.moved == STOOD_STILL, -abs(r.difference_self), -abs(r.difference_total), r.function)
    )
    return Movers(rows, _note(rows, repeated, sample_value > 0, scale), scale)


def write_movers(path: Path, rows: Sequence[Mover]) -> None:
    """Columns are the fields of `Mover`, in their order."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(field.name for field in fields(Mover))
        writer.writerows(map(_cell, astuple(row)) for row in rows)


def _cell(value: str | float | None) -> str:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else foreign.cell(str(value))


def _values(captures: Sequence[Folded]) -> tuple[list[str], Array]:
    """Names worth looking at; and self and total of each in each capture, 2 x functions x captures."""
    shares = [functions(_without_closures(folded)) for folded in captures]
    largest: dict[str, float] = {}
    for folded, found in zip(captures, shares, strict=True):
        for name, share in found.items():
            largest[name] = max(largest.get(name, 0.0), share.total_value / max(folded.total, 1))
    names = sorted(name for name, share in largest.items() if share >= SMALLEST_SHARE)
    nothing = Share(0, 0)
    found_of = [[found.get(name, nothing) for found in shares] for name in names]
    values = [[[share.self_value for share in row] for row in found_of],
              [[share.total_value for share in row] for row in found_of]]  # fmt: skip
    return names, np.array(values, dtype=float).reshape(2, len(names), len(captures))


def _without_closures(folded: Folded) -> Folded:
    """A function and the closures in it, which async functions are made of, as one."""
    frames = {frame for stack in folded.stacks for frame in stack}
    return renamed(folded, {frame: enclosing(frame) for frame in frames})


def _means(values: Array, split: int) -> tuple[Array, Array]:
    """Of the first `split` captures, and of the others."""
    return values[:, :split].mean(axis=1), values[:, split:].mean(axis=1)


def _judge(values: Array, split: int, sample_value: Array) -> list[_Figures]:
    """By function: means of both sides, their difference and its standard error (of sampling alone unless repeated)."""
    before, after = _means(values, split)
    counts = (split, values.shape[1] - split)
    variance = (values * sample_value).mean(axis=1)
    if min(counts) >= 2:
        degrees = sum(counts) - 2
        deviations = values - np.repeat([before, after], counts, axis=0).T
        own = (deviations**2).sum(axis=1) / degrees
        common = _common_variance((before + after) / 2, own)
        shrunk = (PRIOR_DEGREES * common + degrees * own) / (PRIOR_DEGREES + degrees)
        variance = np.maximum(shrunk, variance)
    error = np.sqrt(variance * (1 / counts[0] + 1 / counts[1]))
    return list(zip(*(part.tolist() for part in (before, after, after - before, error)), strict=True))


def _common_variance(mean: Array, variance: Array) -> Array:
    """`a * mean + (b * mean)^2`, fitted so that small and large functions weigh alike (variance over the square)."""
    known = mean > 0
    if not known.any():
        return np.zeros_like(mean)
    m, v = mean[known], variance[known]
    # v / m^2 = a / m + b^2: least squares in two unknowns, none of them negative.
    design = np.column_stack([1 / m, np.ones_like(m)]) * m[:, None] ** 0.5
    a, b2 = np.linalg.lstsq(design, v / m**2 * m**0.5, rcond=None)[0]
    if b2 < 0:
        a, b2 = float(np.sum(v) / np.sum(m)), 0.0
    if a < 0:
        a, b2 = 0.0, float(np.mean(v / m**2))
    fitted: Array = a * mean + b2 * mean**2
    return fitted


def _critical(looked_at: int, degrees: int) -> float:
    """Two-sided t beyond which a difference counts, Bonferroni over `looked_at` figures (Cornish-Fisher)."""
    z = NormalDist().inv_cdf(1 - LEVEL / (2 * looked_at))
    v = PRIOR_DEGREES + degrees
    return z + (z**3 + z) / (4 * v) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * v**2)


def _moved(own: Sequence[float], total: Sequence[float], critical: float, repeated: bool) -> str:
    own_moved, total_moved = (abs(change) > critical * error for *_, change, error in (own, total))
    if not (own_moved or total_moved):
        return STOOD_STILL
    if not repeated:
        return CANNOT_TELL
    return ("both" if total_moved else "self") if own_moved else "total"


def _note(rows: Sequence[Mover], repeated: bool, sampled: bool, scaled: Scale) -> str:
    scale = _SCALES[scaled]
    changed = f"{sum(row.moved != STOOD_STILL for row in rows)} of {len(rows)} functions"
    if not repeated:
        return (
            f"{changed} changed{' by more than sampling alone makes' if sampled else ''}. One capture a side "
            f"cannot tell movers from noise: ask for `captures: 3`. {scale} The largest differences come first."
        )
    return f"{changed} moved beyond the noise between captures (level: 5 % for the table). {scale}"
