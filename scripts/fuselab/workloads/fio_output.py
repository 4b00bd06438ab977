"""What fio's JSON says (format: fio(1), json output), as metrics, traffic, or the reason of a failure."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fuselab.workloads.base import LoadResult, Metric, Traffic
from fuselab.workloads.running import Ended

METRICS = ("bw", "p99", "iops", "lat_mean", "p50", "p999", "drained_bw")
"""By direction; `drained_bw` is computed where the time of the drain is known."""
_PERCENTILES = {"p50": 50.0, "p99": 99.0, "p999": 99.9}
_INTERRUPTED = 128


@dataclass(frozen=True)
class Group:
    """Jobs that fio reports together, in one direction."""

    stage: int
    """Groups of one stage run at once; a stonewall begins the next."""
    bytes: int
    operations: int
    runtime_s: float
    lat_mean_ns: float
    percentiles_ns: Mapping[str, float]


def read(path: Path) -> dict[str, list[Group]]:
    """`read` and `write` -> their groups, in fio's order; directions without I/O are left out.

    Raises ValueError if there is no JSON in the file.
    """
    directions: dict[str, list[Group]] = {}
    stage = 0
    for job in _load(path)["jobs"]:
        options = job.get("job options", {})
        stage += "stonewall" in options or "wait_for_previous" in options
        for direction in ("write", "read"):
            if job[direction]["total_ios"]:
                directions.setdefault(direction, []).append(_group(job[direction], stage))
    return directions


def _load(path: Path) -> dict[str, Any]:
    """fio writes its complaints before the JSON, into the same file."""
    text = path.read_text(errors="replace")
    start = 0 if text.startswith("{") else text.find("\n{") + 1
    if not text[start:].startswith("{"):
        raise ValueError(f"fio wrote no JSON to {path.name}: {text.strip()[-500:]}")
    data: dict[str, Any] = json.loads(text[start:])
    return data


def _group(figures: Mapping[str, Any], stage: int) -> Group:
    lat = figures["lat_ns"]
    listed = lat.get("percentile") or figures["clat_ns"].get("percentile") or {}
    by_share = {float(share): float(value) for share, value in listed.items()}
    return Group(
        stage=stage,
        bytes=figures["io_bytes"],
        operations=figures["total_ios"],
        runtime_s=figures["runtime"] / 1000,
        lat_mean_ns=lat["mean"],
        percentiles_ns={name: by_share[share] for name, share in _PERCENTILES.items() if share in by_share},
    )


def seconds(groups: Sequence[Group]) -> float:
    """How long fio ran: stages one after the other, the longest group of each."""
    longest: dict[int, float] = {}
    for group in groups:
        longest[group.stage] = max(longest.get(group.stage, 0.0), group.runtime_s)
    return sum(longest.values())


def metrics(directions: Mapping[str, Sequence[Group]]) -> list[Metric]:
    """All but `drained_bw`. Percentiles only of what fio reports as one group: they cannot be added up."""
    found = []
    for direction, groups in directions.items():
        ran_s = seconds(groups)
        operations = sum(group.operations for group in groups)
        mean = sum(group.lat_mean_ns * group.operations for group in groups) / operations
        if ran_s > 0:
            found.append(Metric(f"{direction}.bw", "B/s", "higher", sum(g.bytes for g in groups) / ran_s))
            found.append(Metric(f"{direction}.iops", "1/s", "higher", operations / ran_s))
        found.append(Metric(f"{direction}.lat_mean", "ns", "lower", mean))
        for name, value in (groups[0].percentiles_ns if len(groups) == 1 else {}).items():
            beyond = int(operations * (100 - _PERCENTILES[name]) / 100)
            found.append(Metric(f"{direction}.{name}", "ns", "lower", value, beyond))
    return found


def drained(directions: Mapping[str, Sequence[Group]], drain_s: float) -> list[Metric]:
    """Bytes written / (time that fio wrote + time until the unmount had drained)."""
    groups = directions.get("write", ())
    if not groups:
        return []
    value = sum(group.bytes for group in groups) / (seconds(groups) + drain_s)
    return [Metric("write.drained_bw", "B/s", "higher", value)]


def traffic(directions: Mapping[str, Sequence[Group]]) -> Traffic:
    by_direction = {
        direction: (sum(g.operations for g in groups), sum(g.bytes for g in groups))
        for direction, groups in directions.items()
    }
    latency = {
        direction: sum(g.lat_mean_ns * g.operations for g in groups) / by_direction[direction][0]
        for direction, groups in directions.items()
    }
    return Traffic(
        operations=sum(operations for operations, _ in by_direction.values()),
        bytes=sum(size for _, size in by_direction.values()),
        by_direction=by_direction,
        latency_ns=latency,
    )


def result(output: Path, ended: Ended, timeout_s: float | None = None) -> LoadResult:
    """Whether fio did what it was asked to. Its exit code is the number of failed jobs, 128 after SIGINT."""
    if ended.timed_out:
        return LoadResult(ended.exit_code, f"fio: {ended.words(timeout_s)}")
    if ended.exit_code == _INTERRUPTED:
        return LoadResult(ended.exit_code, f"fio was interrupted: {ended.words()}")
    if ended.exit_code < 0:
        return LoadResult(ended.exit_code, f"fio: {ended.words()}")
    try:
        jobs = _load(output)["jobs"]
    except (OSError, ValueError) as error:
        return LoadResult(ended.exit_code or 1, f"fio: {ended.words()}\n{error}")
    errors = {job["jobname"]: job["error"] for job in jobs if job.get("error")}
    if errors:
        words = ", ".join(f"{name}: {os.strerror(code)} (error {code})" for name, code in errors.items())
        return LoadResult(ended.exit_code or 1, f"fio failed in {words}: {ended.words()}")
    if ended.exit_code != 0:
        return LoadResult(ended.exit_code, f"fio: {ended.words()}")
    if not any(job[direction]["total_ios"] for job in jobs for direction in ("read", "write", "trim")):
        return LoadResult(1, "fio ended without a single I/O: is its runtime shorter than its ramp_time?")
    return LoadResult(0)
