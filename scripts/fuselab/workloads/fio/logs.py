"""Whether the throughput of a run was level, from fio's bandwidth log.

Format (fio(1), log file formats): `time in ms, KiB/s, direction, block size, offset`, one line for each job and
step. The lines of one job stand together, in order of time, and those of the next follow (`per_job_logs=0`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

DIRECTIONS = ("read", "write", "trim")
"""By the number that stands for them in the log."""
_FEWEST = 4
"""Points of a job, below which nothing is said of its slope."""
_LARGEST = math.log(1000)
"""A half in which nothing moved at all has no logarithm."""

Point = tuple[float, float]
"""(ms, bytes/s)."""


def entries(log: Path) -> Iterator[tuple[float, str, float]]:
    """(ms, direction, bytes/s) of each line; nothing without a log."""
    for line in log.read_text().splitlines() if log.is_file() else ():
        with suppress(ValueError, IndexError):  # fio was cut off in this line
            at_ms, rate, number = (int(word) for word in line.split(",")[:3])
            yield at_ms, DIRECTIONS[number], 1024.0 * rate


def slopes(log: Path) -> dict[str, float]:
    """Direction -> ln(bytes moved in the second half of the logged time / in the first); without a log, nothing."""
    jobs_of: dict[str, list[list[Point]]] = {}
    for at_ms, direction, rate in entries(log):
        jobs = jobs_of.setdefault(direction, [[]])
        if jobs[-1] and at_ms < jobs[-1][-1][0]:
            jobs.append([])
        jobs[-1].append((at_ms, rate))
    return {
        direction: _slope(jobs)
        for direction, jobs in jobs_of.items()
        if all(len(job) >= _FEWEST for job in jobs)
    }


def _slope(jobs: Sequence[Sequence[Point]]) -> float:
    """A point stands for the time since the one before it."""
    from statistics import median

    spans = []
    for job in jobs:
        step = median(after - before for (before, _), (after, _) in pairwise(job))
        starts = [job[0][0] - step, *(at for at, _ in job[:-1])]
        spans += [(start, end, rate) for start, (end, rate) in zip(starts, job, strict=True)]
    first, last = min(start for start, _, _ in spans), max(end for _, end, _ in spans)
    middle = (first + last) / 2
    early = sum(rate * max(0.0, min(end, middle) - start) for start, end, rate in spans)
    late = sum(rate * max(0.0, end - max(start, middle)) for start, end, rate in spans)
    if early <= 0 or late <= 0:
        return 0.0 if early == late else math.copysign(_LARGEST, late - early)
    return max(-_LARGEST, min(_LARGEST, math.log(late / early)))
