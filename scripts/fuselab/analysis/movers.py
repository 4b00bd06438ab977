"""Which functions moved between two sides, told from noise by the spread between repeated captures.

Two or three captures a side are too few to estimate each function's own noise, so the functions lend each other
theirs: the variance between repeats is modelled over all functions as `a * mean + (b * mean)^2` (sampling, which
grows like the count, and drift, which grows like the value), and each function's own variance is shrunk towards
the model's, as limma does for genes (Smyth 2004, doi:10.2202/1544-6115.1027). A difference is a mover when its
moderated t is beyond the 5 % level after Bonferroni over every figure looked at.

What is sampled varies at least as counts do, whatever three repeats say: of allocations that two dumps in three sample,
one in 45 is seen by all three captures of one side and by none of the other. The variance is therefore at least
`sample_value * mean`; for a heap that is the limit of small objects, and above the true one for large.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from fuselab import foreign
from fuselab.analysis.folded import Folded, functions

LEVEL = 0.05
PRIOR_DEGREES = 12.0
"""Weight of the common noise model, in degrees of freedom, beside a function's own."""
SMALLEST_SHARE = 0.002
"""Functions below this share of both sides' totals are not looked at: a few samples."""
CANNOT_TELL = "cannot tell"

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Side:
    """The captures of one side: folded stacks of each, with what its load did."""

    captures: Sequence[Folded]
    operations: Sequence[int]
    bytes: Sequence[int]


@dataclass(frozen=True)
class Mover:
    """One function. `self` is where it is the leaf of a stack, `total` wherever it stands. Values are in the
    profile's unit per operation (of the whole load where it has none, or where the value does not grow with the
    load); `_per_mib` per MiB moved, None where nothing was."""

    function: str
    moved: str
    """`self`, `total`, `both`, `no`, or `cannot tell` with a single capture a side."""
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


def find_movers(
    baseline: Side, variant: Side, grows_with_load: bool, sample_value: float = 0.0
) -> tuple[list[Mover], str]:
    """Movers first, then by the size of the difference; and a sentence that says what the table can tell.

    `sample_value` is what one sample stands for, in the profile's unit; 0 where everything is counted.
    Raises ValueError if a side has no capture.
    """
    if not baseline.captures or not variant.captures:
        raise ValueError("a side without captures")
    per_operation = grows_with_load and all((*baseline.operations, *variant.operations))
    per_mib = grows_with_load and all((*baseline.bytes, *variant.bytes))
    names, values = _values(baseline, variant)
    load = _scale(baseline.operations, variant.operations) if per_operation else None
    moved = _scale(baseline.bytes, variant.bytes, 2**20) if per_mib else None
    tables = [
        _judge(_over(value, load), len(baseline.captures), _over_each(sample_value, load)) for value in values
    ]
    by_mib = [
        _means(_over(value, moved), len(baseline.captures)) if moved is not None else None for value in values
    ]
    repeated = min(len(baseline.captures), len(variant.captures)) >= 2
    critical = _critical(2 * len(names), repeated, len(baseline.captures) + len(variant.captures) - 2)
    unit = baseline.captures[0].unit + (" per operation" if per_operation else "")
    rows = [_row(name, number, tables, by_mib, critical, unit) for number, name in enumerate(names)]
    rows.sort(
        key=lambda r: (
            r.moved in ("no", CANNOT_TELL),
            -abs(r.difference_self),
            -abs(r.difference_total),
            r.function,
        )
    )
    return rows, _note(rows, repeated, per_operation)


def write_movers(path: Path, rows: Sequence[Mover]) -> None:
    """Columns are the fields of `Mover`, in their order."""
    names = [field.name for field in fields(Mover)]
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        for row in rows:
            values = [getattr(row, name) for name in names]
            writer.writerow(
                [
                    ""
                    if value is None
                    else f"{value:.6g}"
                    if isinstance(value, float)
                    else foreign.cell(str(value))
                    for value in values
                ]
            )


@dataclass(frozen=True)
class _Table:
    """By function: means of both sides and the standard error of their difference (NaN: unknown)."""

    before: Array
    after: Array
    error: Array


def _values(baseline: Side, variant: Side) -> tuple[list[str], tuple[Array, Array]]:
    """Names worth looking at, and (self, total) as functions x captures, baseline captures first."""
    shares = [functions(folded) for folded in (*baseline.captures, *variant.captures)]
    sums = [max(folded.total, 1) for folded in (*baseline.captures, *variant.captures)]
    largest: dict[str, float] = {}
    for found, whole in zip(shares, sums, strict=True):
        for name, share in found.items():
            largest[name] = max(largest.get(name, 0.0), share.total_value / whole)
    names = sorted(name for name, share in largest.items() if share >= SMALLEST_SHARE)
    own = np.array([[f[n].self_value if n in f else 0 for f in shares] for n in names], dtype=float)
    total = np.array([[f[n].total_value if n in f else 0 for f in shares] for n in names], dtype=float)
    shape = (len(names), len(shares))
    return names, (own.reshape(shape), total.reshape(shape))


def _scale(before: Sequence[int], after: Sequence[int], per: int = 1) -> Array:
    return np.array([*before, *after], dtype=float) / per


def _over(values: Array, load: Array | None) -> Array:
    return values if load is None else values / load


def _over_each(sample_value: float, load: Array | None) -> Array | float:
    """What one sample stands for in each capture, per operation of its load."""
    return sample_value if load is None else sample_value / load


def _means(values: Array, split: int) -> tuple[Array, Array]:
    return values[:, :split].mean(axis=1), values[:, split:].mean(axis=1)


def _judge(values: Array, split: int, sample_value: Array | float) -> _Table:
    before, after = _means(values, split)
    counts = (split, values.shape[1] - split)
    if min(counts) < 2:
        return _Table(before, after, np.full(len(values), np.nan))
    degrees = sum(counts) - 2
    deviations = [values[:, :split] - before[:, None], values[:, split:] - after[:, None]]
    own = sum((part**2).sum(axis=1) for part in deviations) / degrees
    common = _common_variance((before + after) / 2, own)
    variance = (PRIOR_DEGREES * common + degrees * own) / (PRIOR_DEGREES + degrees)
    variance = np.maximum(variance, (values * sample_value).mean(axis=1))
    return _Table(before, after, np.sqrt(variance * (1 / counts[0] + 1 / counts[1])))


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


def _critical(looked_at: int, repeated: bool, degrees: int) -> float:
    """Two-sided t beyond which a difference counts, Bonferroni over `looked_at` figures (Cornish-Fisher)."""
    if not repeated or not looked_at:
        return math.inf
    z = NormalDist().inv_cdf(1 - LEVEL / (2 * looked_at))
    v = PRIOR_DEGREES + degrees
    return z + (z**3 + z) / (4 * v) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * v**2)


def _row(
    name: str,
    number: int,
    tables: Sequence[_Table],
    by_mib: Sequence[tuple[Array, Array] | None],
    critical: float,
    unit: str,
) -> Mover:
    own, total = ((t.before[number], t.after[number], t.error[number]) for t in tables)
    hits = [abs(after - before) > critical * error for before, after, error in (own, total)]
    known = not math.isnan(own[2])
    moved = {(True, True): "both", (True, False): "self", (False, True): "total"}.get(
        (hits[0], hits[1]), "no"
    )
    mib = [None if pair is None else float(pair[1][number] - pair[0][number]) for pair in by_mib]
    return Mover(
        function=name,
        moved=moved if known else CANNOT_TELL,
        baseline_self=float(own[0]),
        variant_self=float(own[1]),
        difference_self=float(own[1] - own[0]),
        noise_self=float(own[2]),
        baseline_total=float(total[0]),
        variant_total=float(total[1]),
        difference_total=float(total[1] - total[0]),
        noise_total=float(total[2]),
        difference_self_per_mib=mib[0],
        difference_total_per_mib=mib[1],
        unit=unit,
    )


def _note(rows: Sequence[Mover], repeated: bool, per_operation: bool) -> str:
    scale = (
        "Values are per I/O operation of each side's own load." if per_operation else "Values are not scaled."
    )
    if not repeated:
        return (
            f"One capture a side cannot tell movers from noise: ask for `captures: 3`. {scale} "
            "The largest differences come first."
        )
    found = sum(row.moved != "no" for row in rows)
    moved = f"{found} of {len(rows)} functions moved beyond the noise between captures (level: 5 % for the table)."
    return f"{moved} {scale}"
