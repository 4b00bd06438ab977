"""What fio's JSON says (format: fio(1), json output), as metrics, traffic, or the reason of a failure."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from fuselab.workloads.base import LoadResult, Traffic
from fuselab.workloads.fio import timing
from fuselab.workloads.fio.logs import DIRECTIONS
from fuselab.workloads.metric import TAIL_IOS, Metric, Phrase, Quantity, beyond
from fuselab.workloads.running import Ended

if TYPE_CHECKING:
    from fuselab.records.slices import Turns

METRICS = ("bw", "p99", "iops", "lat_mean", "p50", "p999", "drained_bw")
"""By direction; `drained_bw` is computed where the time of the drain is known."""
_PERCENTILES = {"p50": 50.0, "p99": 99.0, "p999": 99.9}


def _quantities(side: str, verb: str) -> Iterator[Quantity]:
    """Of one direction, in the order of `METRICS`."""
    words = {"p50": "median", "p99": "p99", "p999": "p99.9"}
    percentiles = {
        name: Quantity(
            f"{side}.{name}", "ns", "lower", Phrase(f"{words[name]} {side} latency"), side, percentile
        )
        for name, percentile in _PERCENTILES.items()
    }
    drained = Phrase(f"drained {side} bandwidth", f"{verb}, counted until all of it has drained,")
    yield Quantity(f"{side}.bw", "B/s", "higher", Phrase(f"{side} bandwidth", verb), side)
    yield percentiles["p99"]
    yield Quantity(
        f"{side}.iops", "1/s", "higher", Phrase(f"{side} operations per second", verb, be="are"), side
    )
    yield Quantity(f"{side}.lat_mean", "ns", "lower", Phrase(f"mean {side} latency"), side)
    yield percentiles["p50"]
    yield percentiles["p999"]
    yield Quantity(f"{side}.drained_bw", "B/s", "higher", drained, side)


QUANTITIES = {
    quantity.name: quantity
    for noun, verb in (("write", "writes"), ("read", "reads"), ("trim", "trims"))
    for quantity in _quantities(noun, verb)
}
_BEGIN = '{\n  "fio version"'
_SIDES = ("read", "write", "trim", "mixed")
_INTERRUPTED = 128
_BAD_CHECKSUM = errno.EILSEQ
"""What fio calls it, for want of a number of its own."""
_PAST_THE_CACHE = " with `direct: 1`, which many filesystems that pass I/O on do not take: leave it out"
"""O_DIRECT reaches the file below, with a buffer of the filesystem's own that is not aligned for it."""


@dataclass(frozen=True)
class Group:
    """Jobs that fio reports together, in one direction."""

    stage: int
    """Groups of one stage run at once; a stonewall begins the next."""
    bytes: int
    operations: int
    runtime_s: float
    ramp_s: float
    """Before the figures counted."""
    time_based: bool
    lat_mean_ns: float
    percentiles_ns: Mapping[str, float]
    moves_data: bool = True
    """If not, there are operations, and no bytes and latencies."""


def read(path: Path) -> dict[str, list[Group]]:
    """`read` and `write` -> their groups, in fio's order; directions without I/O are left out.

    Raises ValueError if there is no JSON in the file, KeyError if it is not that of a load that fuselab asks for.
    """
    return _read(*_as_it_is(path))


def _as_it_is(path: Path) -> tuple[Path, int, int]:
    about = path.stat()
    return path, about.st_size, about.st_mtime_ns


@lru_cache(maxsize=16)  # figures, and those after the drain, are read one after the other
def _read(path: Path, size: int, date_ns: int) -> dict[str, list[Group]]:
    directions: dict[str, list[Group]] = {}
    stage = 0
    data = load(path)
    for job in data["jobs"]:
        stage += job.get("job options", {}).get("stonewall", "0") != "0"
        complete = _complete(data, job)
        for direction in ("write", "read"):
            if job[direction]["total_ios"]:
                directions.setdefault(direction, []).append(_group(job[direction], stage, complete))
    return directions


def _complete(data: Mapping[str, Any], job: Mapping[str, Any]) -> dict[str, str]:
    return {**data.get("global options", {}), **job.get("job options", {})}


def load(path: Path) -> dict[str, Any]:
    """fio writes its complaints before the JSON, into the same file, not all with an end of line."""
    text = path.read_text(errors="replace")
    start = max(text.find(_BEGIN), 0) or (0 if text.startswith("{") else text.find("\n{") + 1)
    if not text[start:].startswith("{"):
        raise ValueError(f"fio wrote no JSON to {path.name}: {text.strip()[-500:]}")
    data: dict[str, Any]
    try:
        data = msgspec.json.decode(text[start:])
    except msgspec.DecodeError:
        data = json.loads(text[start:], strict=False)  # fio writes control characters, and nan, as they are
    return data


@dataclass(frozen=True)
class Shown:
    """What is only shown of a run; nothing where there is no output, or where it cannot be read."""

    version: str = ""
    percentiles: Mapping[str, Sequence[tuple[float, float]]] = field(default_factory=dict)
    """Direction -> (percentile, ns) of the job with the most I/Os: percentiles of several jobs cannot be added up. As
    far out as `TAIL_IOS` lie beyond."""
    moving_data: frozenset[str] = frozenset(DIRECTIONS)
    """Directions in which all jobs move data; all where that is not known."""


def shown(path: Path) -> Shown:
    """Of the output at `path`, which is read once for several figures of a page."""
    try:
        return _shown(*_as_it_is(path))
    except (OSError, ValueError):
        return Shown()


@lru_cache(maxsize=4096)
def _shown(path: Path, size: int, date_ns: int) -> Shown:
    data = load(path)
    version = str(data.get("fio version", "")).removeprefix("fio-")
    return Shown(version, _percentiles(data), frozenset(_moving_data(data)))


def _percentiles(data: Mapping[str, Any]) -> dict[str, list[tuple[float, float]]]:
    found = {}
    jobs = [job for job in data.get("jobs", ()) if timing.moves_data(_complete(data, job))]
    for direction in DIRECTIONS:
        sides = [job[direction] for job in jobs if job.get(direction, {}).get("total_ios")]
        if sides:
            side = max(sides, key=lambda side: float(side["total_ios"]))
            points = (
                side.get("lat_ns", {}).get("percentile") or side.get("clat_ns", {}).get("percentile") or {}
            )
            found[direction] = [
                (float(percentile), float(ns))
                for percentile, ns in points.items()
                if beyond(int(side["total_ios"]), float(percentile)) >= TAIL_IOS
            ]
    return found


def _group(figures: Mapping[str, Any], stage: int, options: Mapping[str, str]) -> Group:
    lat = figures["lat_ns"]
    listed = lat.get("percentile") or figures["clat_ns"].get("percentile") or {}
    by_share = {float(share): float(value) for share, value in listed.items()}
    return Group(
        stage=stage,
        bytes=figures["io_bytes"],
        operations=figures["total_ios"],
        runtime_s=figures["runtime"] / 1000,
        ramp_s=timing.seconds(options.get("ramp_time", "0")) or 0.0,
        time_based=options.get("time_based", "0") != "0",
        lat_mean_ns=lat["mean"],
        percentiles_ns={name: by_share[share] for name, share in _PERCENTILES.items() if share in by_share},
        moves_data=timing.moves_data(options),
    )


def _moving_data(data: Mapping[str, Any]) -> set[str]:
    of_names = [job for job in data.get("jobs", ()) if not timing.moves_data(_complete(data, job))]
    return {name for name in DIRECTIONS if not any(job.get(name, {}).get("total_ios") for job in of_names)}


def seconds(groups: Sequence[Group]) -> float:
    """How long fio measured: stages one after the other, the longest group of each."""
    return _longest(groups, lambda group: group.runtime_s)


def _longest(groups: Sequence[Group], time_of: Callable[[Group], float]) -> float:
    longest: dict[int, float] = {}
    for group in groups:
        longest[group.stage] = max(longest.get(group.stage, 0.0), time_of(group))
    return sum(longest.values())


def metrics(
    directions: Mapping[str, Sequence[Group]], slopes: Mapping[str, float] | None = None
) -> list[Metric]:
    """All but `drained_bw`. Percentiles only of what fio reports as one group: they cannot be added up. A direction in
    which not all jobs move data has its operations per second alone.

    `slopes`: of the throughput in each direction. They count where one stage was measured for a fixed time.
    """
    found = []
    for direction, groups in directions.items():
        ran_s = seconds(groups)
        operations, moved = _moved(groups)
        slope = (slopes or {}).get(direction) if _fixed_time(directions) else None
        data = all(group.moves_data for group in groups)
        if ran_s > 0 and data:
            found.append(QUANTITIES[f"{direction}.bw"].of(moved / ran_s, slope=slope))
        if ran_s > 0:
            found.append(QUANTITIES[f"{direction}.iops"].of(operations / ran_s, slope=slope))
        if not data:
            continue
        found.append(QUANTITIES[f"{direction}.lat_mean"].of(_mean_ns(groups), slope=slope))
        for name, value in (groups[0].percentiles_ns if len(groups) == 1 else {}).items():
            tail = beyond(operations, _PERCENTILES[name])
            found.append(QUANTITIES[f"{direction}.{name}"].of(value, tail, slope))
    return found


def _fixed_time(directions: Mapping[str, Sequence[Group]]) -> bool:
    groups = [group for found in directions.values() for group in found]
    return len({group.stage for group in groups}) == 1 and all(group.time_based for group in groups)


def drained(directions: Mapping[str, Sequence[Group]], drain_s: float) -> list[Metric]:
    """Bytes written / (time that fio wrote + time until all had drained).

    What is drained holds what the ramp has written too, which is in no figure of fio's: the measured time is charged
    with its share of the whole time.
    """
    groups = directions.get("write", ())
    measured_s = seconds(groups)
    if measured_s <= 0 or not all(group.moves_data for group in groups):
        return []
    share = measured_s / (measured_s + _longest(groups, lambda group: group.ramp_s))
    value = _moved(groups)[1] / (measured_s + share * drain_s)
    return [QUANTITIES["write.drained_bw"].of(value)]


def traffic(directions: Mapping[str, Sequence[Group]]) -> Traffic:
    data = {side: [group for group in groups if group.moves_data] for side, groups in directions.items()}
    moved = {side: _moved(groups) for side, groups in data.items() if groups}
    latency = {side: _mean_ns(groups) for side, groups in data.items() if groups}
    operations = sum(_moved(groups)[0] for groups in directions.values())
    return Traffic(operations, sum(size for _, size in moved.values()), moved, latency)


def _moved(groups: Sequence[Group]) -> tuple[int, int]:
    """(operations, bytes)."""
    return sum(group.operations for group in groups), sum(group.bytes for group in groups)


def _mean_ns(groups: Sequence[Group]) -> float:
    return sum(group.lat_mean_ns * group.operations for group in groups) / _moved(groups)[0]


def in_turns(directions: Mapping[str, Sequence[Group]], turns: Turns) -> list[Metric]:
    """Bandwidth, and operations per second: both of the load's own slices of time."""
    moved = {"read": turns.read_bytes, "write": turns.written_bytes}
    found = []
    for direction, groups in directions.items():
        operations, size = _moved(groups)
        bandwidth = moved[direction] / turns.seconds
        found.append(QUANTITIES[f"{direction}.bw"].of(bandwidth))
        found.append(QUANTITIES[f"{direction}.iops"].of(bandwidth * operations / size))
    return found


def result(
    output: Path,
    ended: Ended,
    timeout_s: float | None = None,
    *,
    by_signal: bool = False,
    lays_out: bool = False,
) -> LoadResult:
    """Whether fio did what it was asked to. Its exit code is the number of failed jobs, 128 after SIGINT, which ends it
    well if that is how it is to end (`by_signal`). One that only lays out files does no I/O that it counts."""
    code, said = ended.exit_code, ended.words(timeout_s)
    if by_signal and code == 0:
        return LoadResult(1, f"fio ended before its turns were over: {said}")
    if by_signal and code == _INTERRUPTED:
        code = 0
    if code == _INTERRUPTED and not ended.timed_out:
        return LoadResult(code, f"fio was interrupted: {said}")
    if ended.timed_out or code < 0:
        return LoadResult(code, f"fio: {said}")
    try:
        errors, direct, moved = _outcome(output)
    except (
        Exception
    ) as error:  # what we cannot read is not the target's: fio has done its work if it ended well
        return LoadResult(code, f"fio: {said}\n{error}" if code else None)
    if errors:
        words = ", ".join(f"{name}: {_error_words(number)}" for name, number in errors.items())
        words += _PAST_THE_CACHE if direct and errno.EINVAL in errors.values() else ""
        wrong = _BAD_CHECKSUM in errors.values()
        how = (
            f"what was read back is not what was written (fio's job {words})"
            if wrong
            else f"fio failed in {words}"
        )
        return LoadResult(code or 1, f"{how}: {said}", wrong)
    if code != 0:
        return LoadResult(code, f"fio: {said}")
    if not moved and not lays_out:
        return LoadResult(1, "fio ended without a single I/O: is its runtime shorter than its ramp_time?")
    return LoadResult(0)


def _error_words(number: int) -> str:
    checksum = number == _BAD_CHECKSUM
    return f"bad checksum (fio's error {number})" if checksum else f"{os.strerror(number)} (error {number})"


def _outcome(output: Path) -> tuple[dict[str, int], bool, bool]:
    """The errors of jobs, by name; whether one of them had `direct`; and whether there was any I/O."""
    data = load(output)
    jobs = data["jobs"]
    direct = any(job.get("error") and _complete(data, job).get("direct", "0") != "0" for job in jobs)
    errors = {job.get("jobname", "?"): job["error"] for job in jobs if job.get("error")}
    sides = [job[direction] for job in jobs for direction in _SIDES if direction in job]
    return errors, direct, any(side["total_ios"] for side in sides)
