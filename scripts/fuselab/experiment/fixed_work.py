"""Which work of an experiment is counted: its loads with an end that no clock decides, where that is short enough."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from fuselab.experiment.beside import beside_s
from fuselab.experiment.model import Experiment, Variant, Workload
from fuselab.records.request import MountConfig
from fuselab.targets.model import CounterSources
from fuselab.words import duration
from fuselab.workloads.base import Fixed, Settings

WORK_BLOCKS = 8
"""Two more than an interval needs, for the counters that do not repeat."""
LIMIT_S = 60.0
"""Of all loads without a sweep together, and of each sweep. What takes longer is counted only where the experiment says
so; but the ends of a sweep are: what changes along an axis shows there, and its timed runs take longer still."""
_OVERHEAD_S = 1.0
"""Of a run beyond its load and what stands beside it: mount, perf, unmount."""


@dataclass(frozen=True)
class FixedWork:
    """What is counted, by workload: nothing of those that are not there."""

    workloads: Mapping[str, Workload] = field(default_factory=dict)
    words: Mapping[str, str] = field(default_factory=dict)
    """How each differs from the load that is timed; "" if it does not."""
    run_seconds: Mapping[str, float | None] = field(default_factory=dict)
    """How long a run of it may take; None where only a run can tell."""
    left_out: Mapping[str, str] = field(default_factory=dict)
    """Why a workload is not counted that could be."""


def fixed_work(
    experiment: Experiment, mounts: Mapping[str, MountConfig], counters: Mapping[str, CounterSources]
) -> FixedWork:
    """Of the loads in a mount, as far as the experiment wants them, or they are short.

    By variant: `mounts`, and the `counters` that programs keep themselves.
    """
    if experiment.work is False or not any(mount.argv for mount in mounts.values()):
        return FixedWork()
    in_mounts = {w.name: w for w in experiment.workloads if w.behaviour.needs_mount}
    found = {name: w.behaviour.fixed(w.settings, _by_variant(experiment, w)) for name, w in in_mounts.items()}
    fixed = {name: fixed for name, fixed in found.items() if fixed is not None}
    more_s = _beside_s(mounts, counters)
    seconds = {name: each.seconds and each.seconds + more_s for name, each in fixed.items()}
    left_out = {name: "it has no end but that of its time" for name in in_mounts if name not in fixed}
    left_out |= _the_same(experiment, [in_mounts[name] for name in fixed])
    if not experiment.work:
        curves = {name: w.point.curve if w.point else None for name, w in in_mounts.items()}
        distinct = {name: run_s for name, run_s in seconds.items() if name not in left_out}
        left_out |= _too_long(distinct, curves, len(experiment.variants))
    kept = {name: each for name, each in fixed.items() if name not in left_out}
    return FixedWork(
        {name: replace(in_mounts[name], settings=each.settings) for name, each in kept.items()},
        {name: each.words for name, each in kept.items()},
        {name: seconds[name] for name in kept},
        left_out,
    )


def for_variant(experiment: Experiment, counted: Workload, variant: Variant) -> Workload:
    """A workload that is `counted`, as it is for `variant`."""
    workload = experiment.workload(counted.name)
    own = workload.for_variant(variant)
    fixed = own.behaviour.fixed(own.settings, _by_variant(experiment, workload))
    return counted if fixed is None else replace(own, settings=fixed.settings)


def _by_variant(experiment: Experiment, workload: Workload) -> list[Settings]:
    """What `workload` is for each variant, in their order."""
    return [workload.for_variant(variant).settings for variant in experiment.variants]


def _beside_s(mounts: Mapping[str, MountConfig], counters: Mapping[str, CounterSources]) -> float:
    """How long a run takes beyond its load: mean over the variants."""
    served_s = sum(beside_s(mount) for mount in mounts.values())
    settled_s = sum(2 * of.settle_s for of in counters.values())  # before the load and after it
    return _OVERHEAD_S + (served_s + settled_s) / len(mounts)


def _the_same(experiment: Experiment, workloads: Iterable[Workload]) -> dict[str, str]:
    """Points of a sweep that are no other work than one before: of a rate, which what is counted does without."""
    points = [workload for workload in workloads if workload.point is not None]
    work = {point.name: _counted(experiment, point) for point in points}
    kept: list[Workload] = []
    found = {}
    for point in points:
        alike = (each for each in kept if _is_mounted_alike(experiment, each, point))
        same = next((each for each in alike if _is_same(work[each.name], work[point.name])), None)
        if same is None:
            kept.append(point)
        else:
            found[point.name] = f"it is the same work as {same.name}"
    return found


def _counted(experiment: Experiment, workload: Workload) -> list[Fixed | None]:
    """What is counted of `workload` for each variant, in their order."""
    settings = _by_variant(experiment, workload)
    return [workload.behaviour.fixed(each, settings) for each in settings]


def _is_mounted_alike(experiment: Experiment, one: Workload, other: Workload) -> bool:
    """Whether two points are of one sweep, and each variant is mounted in the same way at both."""
    if one.point is None or other.point is None or one.point.curve != other.point.curve:
        return False
    return all(one.mounting(variant) == other.mounting(variant) for variant in experiment.variants)


def _is_same(work: Iterable[Fixed | None], other: Iterable[Fixed | None]) -> bool:
    """Whether each variant does the same."""
    pairs = zip(work, other, strict=True)
    return all(mine is not None and its is not None and mine.is_same(its) for mine, its in pairs)


def _too_long(
    seconds: Mapping[str, float | None], curves: Mapping[str, str | None], variants: int
) -> dict[str, str]:
    """Of each load that is not counted: why. `curves` names the sweep that a load is a point of."""
    mend = "(`work: true` counts it)"
    unknown = f"how long it takes is not known beforehand {mend}"
    found = {name: unknown for name, s in seconds.items() if s is None}
    together: dict[str | None, dict[str, float]] = {}
    for name, run_s in seconds.items():
        if run_s is not None:
            together.setdefault(curves[name], {})[name] = run_s
    for curve, runs_s in together.items():
        whole_s = sum(runs_s.values()) * variants * WORK_BLOCKS
        if whole_s > LIMIT_S:
            why = f"all of {curve or 'it'} would take {duration(whole_s)}"
            why += ", so its first and its last point are counted" if curve else ""
            found |= dict.fromkeys([*runs_s][1:-1] if curve else runs_s, f"{why} {mend}")
    return found
