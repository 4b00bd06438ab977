"""What fio left beside run.json: percentiles of its JSON, and its bandwidth logs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd

from fuselab.report.records import Run
from fuselab.workloads.fio import fio_json

DIRECTIONS = ("read", "write", "trim")
"""By the number that stands for them in fio's logs."""


def latency_curves(timed: Sequence[Run]) -> pd.DataFrame:
    """direction, variant, block, percentile, latency_ns of every run that left a fio.json."""
    rows = [
        (direction, run.record.variant, run.record.block, percentile, latency_ns)
        for run in timed
        for direction, points in _percentiles(run.folder / "fio.json").items()
        for percentile, latency_ns in points
        if 0 < percentile < 100 and latency_ns > 0
    ]
    return pd.DataFrame(rows, columns=["direction", "variant", "block", "percentile", "latency_ns"])


def _percentiles(path: Path) -> dict[str, list[tuple[float, float]]]:
    """Of the job with the most I/Os in each direction: percentiles of several jobs cannot be added up."""
    if not path.is_file():
        return {}
    jobs = _read(path).get("jobs", [])
    found = {}
    for direction in DIRECTIONS:
        sides = [job[direction] for job in jobs if job.get(direction, {}).get("total_ios")]
        if sides:
            side = max(sides, key=lambda side: float(side["total_ios"]))
            points = (
                side.get("lat_ns", {}).get("percentile") or side.get("clat_ns", {}).get("percentile") or {}
            )
            found[direction] = [(float(percentile), float(ns)) for percentile, ns in points.items()]
    return found


def fio_version(run: Run) -> str | None:
    """`3.33`; None if fio made no load in it."""
    path = run.folder / "fio.json"
    if not path.is_file():
        return None
    return str(_read(path).get("fio version", "")).removeprefix("fio-") or None


def _read(path: Path) -> Mapping[str, Any]:
    """fio's JSON; nothing where it cannot be read, which the run itself says."""
    try:
        return fio_json.load(path)
    except ValueError:
        return {}


def throughput(timed: Sequence[Run]) -> pd.DataFrame:
    """direction, variant, run, time_s, value (bytes/s) from fio's bandwidth logs: `msec, KiB/s, direction, ...`.

    `time_s` counts from the first entry of the run's logs, in any direction. fio counts from its own start or, with
    log_unix_epoch, from 1970; what it logs begins after it has laid out its files, and after the ramp.
    """
    rows = []
    for run in timed:
        entries = [entry for path in sorted(run.folder.glob("*_bw*.log")) for entry in _entries(path)]
        first_ms = min((moment_ms for moment_ms, _, _ in entries), default=0.0)
        rows += [
            (direction, run.record.variant, run.record.block, (moment_ms - first_ms) / 1000, value)
            for moment_ms, direction, value in entries
        ]
    return pd.DataFrame(rows, columns=["direction", "variant", "run", "time_s", "value"])


def _entries(path: Path) -> Iterator[tuple[float, str, float]]:
    """(msec, direction, bytes/s)."""
    for line in path.read_text().splitlines():
        parts = line.split(",")
        if len(parts) >= 3 and parts[2].strip() in ("0", "1", "2"):
            with suppress(ValueError):  # fio was cut off in this line
                yield float(parts[0]), DIRECTIONS[int(parts[2])], float(parts[1]) * 1024
