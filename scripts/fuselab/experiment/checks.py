"""What must hold between the parts of an experiment: metrics, profilers, queries and loads that are there."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from fuselab import workloads
from fuselab.experiment.model import Variant, Workload
from fuselab.experiment.variants import Draft
from fuselab.schema.diagnostics import Diagnostics, hint, near
from fuselab.schema.yaml_source import Key
from fuselab.targets import placeholders
from fuselab.targets.model import CargoBuild, Target
from fuselab.workloads.fio.complaints import Complaint, complaints
from fuselab.workloads.fio.options import as_fio_reads, complete_jobs, judged, place

TARGET_METRICS = ("target.cpu_s", "target.rss_peak_bytes")
_OPEN = "bench."
"""Metrics of a bench carry its ids, which are known once it has run."""


def metric_names(workload: Workload) -> tuple[str, ...]:
    """Metrics that `workload` yields, the most telling first."""
    return tuple(workloads.REGISTRY[workload.kind].metric_names(workload.settings))


def yields(workload: Workload, metric: str) -> bool:
    """Whether runs of `workload` will have `metric`."""
    names = metric_names(workload)
    if metric in TARGET_METRICS:
        return workloads.REGISTRY[workload.kind].needs_mount
    return metric in names or (metric.startswith(_OPEN) and any(name.startswith(_OPEN) for name in names))


def default_primary(loads: tuple[Workload, ...]) -> tuple[str, ...]:
    """The most telling metric of each load, in every direction that it has: `write.bw`, `read.bw`."""
    names: list[str] = []
    for workload in loads:
        found = metric_names(workload)
        names += [name for name in found if name.partition(".")[2] == found[0].partition(".")[2]]
    return tuple(dict.fromkeys(names))[:6]


def check_metrics(diagnostics: Diagnostics, data: Mapping[str, Any], loads: tuple[Workload, ...]) -> None:
    """Primary metrics that no workload yields, or that stand there twice."""
    if len(loads) < len(data.get("workloads", {"": None})):
        return  # one of them could not be read: who knows what it would yield
    known = [*dict.fromkeys(name for workload in loads for name in metric_names(workload)), *TARGET_METRICS]
    primary = data.get("compare", {}).get("primary", ())
    for i, name in enumerate(primary):
        at: Key = ("compare", "primary", i)
        if not any(yields(workload, name) for workload in loads):
            diagnostics.unknown(at, "metric", known, why=" (no workload here yields it)")
        elif name in primary[:i]:
            diagnostics.add(at, f"the metric '{name}' is in the list already")


def read_profilers(
    diagnostics: Diagnostics,
    data: Mapping[str, Any],
    loads: tuple[Workload, ...],
    targets: Mapping[str, Target],
) -> tuple[tuple[str, ...], ...]:
    """Sets of profilers that share a capture, each held against the targets and the loads."""
    sets: list[tuple[str, ...]] = []
    seen: set[str] = set()
    for i, entry in enumerate(data.get("profilers", ())):
        at: Key = ("profilers", i)
        names = entry if isinstance(entry, list) else [entry]
        for j, name in enumerate(names):
            place = (*at, j) if isinstance(entry, list) else at
            _check_profiler(diagnostics, place, name, loads, targets)
            if name in seen:
                diagnostics.add(place, f"the profiler '{name}' is in the list already")
            seen.add(name)
        _check_sharing(diagnostics, at, tuple(names), targets)
        sets.append(tuple(names))
    return tuple(sets)


def _check_sharing(
    diagnostics: Diagnostics, at: Key, names: tuple[str, ...], targets: Mapping[str, Target]
) -> None:
    """Profilers that share a capture share one environment: they may not want different things of it."""
    for target in targets.values():
        wanted: dict[str, tuple[str, str]] = {}
        for name in names:
            support = target.profilers.get(name)
            for variable, value in support.env if support else ():
                owner, other = wanted.setdefault(variable, (name, value))
                if other != value:
                    message = f"'{owner}' and '{name}' cannot share a capture: both set {variable} of '{target.name}'"
                    diagnostics.add(at, message)


def _check_profiler(
    diagnostics: Diagnostics, at: Key, name: str, loads: tuple[Workload, ...], targets: Mapping[str, Target]
) -> None:
    from fuselab import profilers

    profiler = profilers.REGISTRY.get(name)
    if profiler is None:
        diagnostics.unknown(at, "profiler", profilers.REGISTRY, name=name)
        return
    levels = {target.name: profiler.capability(target) for target in targets.values()}
    if levels and all(capability.level == "unavailable" for capability in levels.values()):
        reasons = "; ".join(dict.fromkeys(capability.reason for capability in levels.values()))
        can = [p for p in profilers.REGISTRY if any(_can(p, target) for target in targets.values())]
        diagnostics.add(at, f"the profiler '{name}' cannot look at this: {reasons}", allowed=can)
    kinds = {workload.kind for workload in loads}
    if kinds and not kinds & profiler.workload_kinds and not diagnostics.broken_below(("workloads",)):
        wanted = " or ".join(sorted(profiler.workload_kinds))
        diagnostics.add(at, f"the profiler '{name}' looks at loads of the kind {wanted}: there is none here")


def _can(name: str, target: Target) -> bool:
    from fuselab import profilers

    return profilers.REGISTRY[name].capability(target).level != "unavailable"


def check_workloads(
    diagnostics: Diagnostics, loads: tuple[Workload, ...], targets: Mapping[str, Target]
) -> None:
    for workload in loads:
        if workload.kind in _CHECKS:
            _CHECKS[workload.kind](diagnostics, workload, targets)


def _check_fio(diagnostics: Diagnostics, workload: Workload, targets: Mapping[str, Target]) -> None:
    """Every job as fio will get it. What the schema found already is not said again in fio's words."""
    at: Key = ("workloads", workload.name, "fio")
    jobs = complete_jobs(workload.settings)
    for job, said in complaints(workload.settings).items():
        for complaint in said:
            where = place(diagnostics, at, job, complaint.option)
            _complain(diagnostics, where, complaint, jobs[job].get(complaint.option or "", ""))


def _complain(diagnostics: Diagnostics, where: Key, complaint: Complaint, written: str) -> None:
    """What fio says of an option whose value is `written`, with the nearest right spelling."""
    close = near(written, complaint.allowed) if complaint.of_value else complaint.suggestion
    diagnostics.add(
        where,
        complaint.message + hint(close),
        of_key=not complaint.of_value,
        allowed=complaint.allowed,
        suggestion=close if diagnostics.source.keys.get(where) else None,
    )


def check_own_options(
    diagnostics: Diagnostics,
    drafts: list[Draft],
    variants: Mapping[str, Variant],
    loads: tuple[Workload, ...],
) -> None:
    """fio options of single variants: taken by fio in every job that they are laid over."""
    fio = [workload for workload in loads if "jobs" in workload.settings]
    for draft in drafts:
        variant = variants.get(draft.name)
        if variant is None or not variant.fio or diagnostics.broken_below(draft.place("fio")):
            continue
        if not fio and not diagnostics.broken_below(("workloads",)):
            diagnostics.add(draft.place("fio"), "no load here is a fio job", of_key=True)
        _check_own_options(diagnostics, draft, variant, fio)


def _check_own_options(diagnostics: Diagnostics, draft: Draft, variant: Variant, fio: list[Workload]) -> None:
    refused = set()
    for name, text in variant.fio:
        at = draft.place("fio", name)
        if name in ("rw", "readwrite"):
            diagnostics.add(at, f"'{name}' cannot be '{text}' here: {_MODE}", of_key=True)
        if judged(diagnostics, at, name, text):
            refused.add(name)
    asked = replace(variant, fio=tuple(pair for pair in variant.fio if pair[0] not in refused))
    for workload in fio:
        settings = workload.for_variant(asked).settings
        for complaint in itertools.chain(*complaints(settings).values()):
            said = dict(asked.fio).get(complaint.option or "")
            if complaint.option is not None and said is not None:
                _complain(diagnostics, draft.place("fio", complaint.option), complaint, said)
    if not diagnostics.broken_below(draft.place("fio")):
        _check_own_names(diagnostics, draft, asked)


def _check_own_names(diagnostics: Diagnostics, draft: Draft, variant: Variant) -> None:
    """Options are laid over others by name: fio's own name for each, not an alias of it."""
    own = {"variant": dict(variant.fio)}
    read = as_fio_reads(diagnostics, own, lambda _, option: draft.place("fio", option))["variant"]
    for name in [name for name, _ in variant.fio if name not in read]:
        fios = next((other for other in read if other not in own["variant"]), None)
        if fios is not None:
            message = f"fio's own name for '{name}' is '{fios}': write that"
            diagnostics.add(draft.place("fio", name), message, of_key=True, suggestion=fios)


_MODE = "it decides what is measured; make it a load of its own"


def check_mounts(diagnostics: Diagnostics, data: Mapping[str, Any], loads: tuple[Workload, ...]) -> None:
    """Loads in a mount that the run does not have."""
    mounts = data.get("mounts", 1)
    placeholders.check_load(diagnostics, ("workloads",), data.get("workloads"), mounts)
    for workload in loads:
        at: Key = ("workloads", workload.name, "fio", "file")
        if at in diagnostics.source.keys:
            for options in complete_jobs(workload.settings).values():
                placeholders.check_load(diagnostics, at, options.get("directory"), mounts)


def _check_bench(diagnostics: Diagnostics, workload: Workload, targets: Mapping[str, Target]) -> None:
    at: Key = ("workloads", workload.name, "criterion", "bench")
    bench = str(workload.settings["bench"])
    for target in targets.values():
        if not isinstance(target.build, CargoBuild):
            diagnostics.add(at, f"'{target.name}' is not built by cargo: it has no benches")
        elif bench not in target.build.benches:
            diagnostics.unknown(at, "bench", target.build.benches, why=f" of '{target.name}'", name=bench)


_CHECKS = {"fio": _check_fio, "criterion": _check_bench}


def check_queries(diagnostics: Diagnostics, data: Mapping[str, Any]) -> None:
    """SQL that does not parse, names what is not there, or asks for what no profiler here records."""
    asked = data.get("queries", ())
    if not asked:
        return
    from fuselab.queries import catalogue

    entries = data.get("profilers", ())
    looking = {name for entry in entries for name in (entry if isinstance(entry, list) else [entry])}
    for i, query in enumerate(asked):
        at: Key = ("queries", i, "sql")
        sql = query.get("sql", "")
        fault = catalogue.fault_of(sql)
        if fault is not None:
            close = near(fault.wrong, fault.names) if fault.wrong else None
            corrected = sql.replace(fault.wrong, close).strip() if close and fault.wrong else None
            diagnostics.add(
                at, f"SQL: {fault.message}{hint(close)}", allowed=fault.names, corrected=corrected
            )
            continue
        for name in catalogue.tables_in(sql):
            profiler = catalogue.TABLES[name].profiler
            if (
                profiler is not None
                and profiler not in looking
                and not diagnostics.broken_below(("profilers",))
            ):
                message = (
                    f"SQL: the table '{name}' stays empty: it comes from {profiler}, which 'profilers' lacks"
                )
                diagnostics.add(at, message)
