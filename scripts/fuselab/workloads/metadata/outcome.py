"""What fuselab-metadata and tar did in a run, from the files they leave: figures, or why it failed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from fuselab import foreign
from fuselab.workloads.base import LoadResult
from fuselab.workloads.metadata.quantities import PERCENTILES, PREFIX, QUANTITIES
from fuselab.workloads.metric import Metric, beyond
from fuselab.workloads.running import Ended

PHASES = "metadata.json"
UNPACKED = "unpack.json"


class Failure(msgspec.Struct, frozen=True):
    """Operations of one kind that ended with the same error. `code` None: data was wrong."""

    code: int | None
    words: str
    count: int
    first: str


class Phase(msgspec.Struct, frozen=True):
    """One kind of operation, as `tools/metadata` tells of it: `operations` that went well, and their figures."""

    operation: str
    operations: int
    bytes: int
    seconds: float
    latency_mean_ns: float = 0.0
    latency_ns: tuple[tuple[float, int], ...] = ()
    errors: tuple[Failure, ...] = ()


def phases(run: Path) -> list[Phase]:
    """In the order in which they were done."""
    path = run / PHASES
    timed = msgspec.json.decode(path.read_bytes(), type=list[Phase]) if path.is_file() else []
    unpacked = run / UNPACKED
    return [*timed, *_one(unpacked)]


def _one(path: Path) -> Iterator[Phase]:
    if path.is_file():
        yield msgspec.json.decode(path.read_bytes(), type=Phase)


def metrics(done: Sequence[Phase]) -> Iterator[Metric]:
    for phase in done:
        name = PREFIX + phase.operation
        yield QUANTITIES[f"{name}.rate"].of(phase.operations / phase.seconds)
        at = dict(phase.latency_ns)
        for short, percentile in PERCENTILES.items():
            if percentile in at:
                value, tail = float(at[percentile]), beyond(phase.operations, percentile)
                yield QUANTITIES[f"{name}.{short}"].of(value, tail)


def result(run: Path, ended: Ended, timeout_s: float) -> LoadResult:
    """Whether every operation that fuselab-metadata timed went well."""
    if ended.timed_out or ended.exit_code not in (0, 1):
        return LoadResult(ended.exit_code or 1, f"fuselab-metadata: {ended.words(timeout_s)}")
    failed = [(phase, error) for phase in phases(run) for error in phase.errors]
    if not failed:
        return LoadResult(0)
    reason = "\n".join(_words(phase, error) for phase, error in failed)
    return LoadResult(1, reason, wrong_data=any(error.code is None for _, error in failed))


def _words(phase: Phase, error: Failure) -> str:
    of = phase.operations + sum(failure.count for failure in phase.errors)
    where = foreign.name(error.first)
    return f"{phase.operation}: {error.count} of {of} failed: {error.words}, first of all that of {where}"
