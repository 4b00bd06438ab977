"""What must hold between the parts of an experiment: metrics, profilers, queries and loads that are there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from itertools import chain, zip_longest
from typing import Any

from fuselab import profilers, workloads
from fuselab.experiment.looking import looking_at_targets
from fuselab.experiment.model import Variant, Workload
from fuselab.experiment.variants import Draft
from fuselab.profilers.base import Capability, Profiler
from fuselab.schema.diagnostics import Diagnostics, hint, near
from fuselab.schema.yaml_source import Key
from fuselab.targets.model import Target
from fuselab.workloads.base import CheckContext
from fuselab.workloads.metric import TARGET

_PRIMARY = 6
"""Primary metrics that an experiment has which names none: each further one asks for more blocks."""
TARGET_METRICS = tuple(quantity.name for quantity in TARGET)


def metric_names(workload: Workload) -> tuple[str, ...]:
    """Metrics that `workload` yields, the most telling first."""
    kind = workload.behaviour
    names = kind.metric_names if workload.slice_s is None else kind.turn_metrics
    return tuple(names(workload.settings))


def yields(workload: Workload, metric: str) -> bool:
    """Whether runs of `workload` will have `metric`."""
    kind = workload.behaviour
    if workload.slice_s is not None:
        return metric in metric_names(workload)
    return kind.needs_mount if metric in TARGET_METRICS else kind.yields(workload.settings, metric)


def default_primary(loads: tuple[Workload, ...]) -> tuple[str, ...]:
    """The most telling metrics of each load: `write.bw`, `read.bw`. Six in all, and of each load its first."""
    by_load = [tuple(load.behaviour.primary(load.settings)) for load in loads]
    in_turn = dict.fromkeys(name for names in zip_longest(*by_load) for name in names if name is not None)
    firsts = {names[0] for names in by_load if names}
    chosen = set(tuple(in_turn)[: max(_PRIMARY, len(firsts))])
    return tuple(name for name in dict.fromkeys(chain(*by_load)) if name in chosen)


def check_metrics(diagnostics: Diagnostics, data: Mapping[str, Any], loads: tuple[Workload, ...]) -> None:
    """Primary metrics that no workload yields, or that stand there twice."""
    if len(loads) < len(data.get("workloads", {"": None})):
        return  # one of them could not be read: who knows what it would yield
    of_target = [name for name in TARGET_METRICS if any(yields(workload, name) for workload in loads)]
    known = [*dict.fromkeys(name for workload in loads for name in metric_names(workload)), *of_target]
    primary = data.get("compare", {}).get("primary", ())
    for i, name in enumerate(primary):
        at: Key = ("compare", "primary", i)
        if not any(yields(workload, name) for workload in loads):
            turns = any(workload.slice_s is not None for workload in loads)
            why = " (no workload here yields it%s)" % (" where loads take turns" if turns else "")
            diagnostics.unknown(at, "metric", known, why=why)
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
        if looking_at_targets(loads):
            _check_sharing(diagnostics, at, tuple(names), targets)
        sets.append(tuple(names))
    if (
        sets
        and loads
        and not any(load.captured for load in loads)
        and not diagnostics.broken_below(("workloads",))
    ):
        message = "profilers look at no load here: say in the sweep at which values, 'capture_at: [VALUE]'"
        diagnostics.add(("profilers",), message, of_key=True)
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
    profiler = profilers.REGISTRY.get(name)
    if profiler is None:
        words = re.split(r"[\s,;+]+", name.strip())
        if len(words) > 1 and {*words} <= {*profilers.REGISTRY}:
            message = f"'{name}' is one text: there is a comma between profilers"
            on_lines = (
                isinstance(at[-1], int) and diagnostics.source.span(at[:-1], of_key=False).end_column is None
            )
            items = "\n".join(f"- {word}" for word in words) if on_lines else None
            diagnostics.add(at, message, suggestion=", ".join(words), corrected=items)
            return
        diagnostics.unknown(at, "profiler", profilers.REGISTRY, name=name)
        return
    levels = _capabilities(profiler, loads, targets)
    if levels and all(each.level == "unavailable" for each in levels):
        reasons = "; ".join(dict.fromkeys(each.reason for each in levels))
        can = [
            other
            for other, known in profilers.REGISTRY.items()
            if any(each.level != "unavailable" for each in _capabilities(known, loads, targets))
        ]
        diagnostics.add(at, f"the profiler '{name}' cannot look at this: {reasons}", allowed=can)
        return
    shown = {workload.looks_at for workload in loads}
    if "program" in shown:
        _check_reach(diagnostics, at, name, targets)
    if shown and not shown & profiler.looks_at and not diagnostics.broken_below(("workloads",)):
        wanted = " or ".join(
            sorted(name for name, kind in workloads.REGISTRY.items() if kind.looks_at in profiler.looks_at)
        )
        diagnostics.add(at, f"the profiler '{name}' looks at loads of the kind {wanted}: there is none here")


def _capabilities(
    profiler: Profiler, loads: tuple[Workload, ...], targets: Mapping[str, Target]
) -> list[Capability]:
    """For every target, and for every command that is to be looked at."""
    commands = [load.program for load in loads if load.looks_at == "command"]
    able = [profiler.capability(target) for target in targets.values() if looking_at_targets(loads)]
    return [*able, *map(profiler.capability_of_command, commands)]


def _check_reach(diagnostics: Diagnostics, at: Key, name: str, targets: Mapping[str, Target]) -> None:
    """A bench has Criterion's command line, not its target's: what is switched on by words there stays off."""
    for target in targets.values():
        support = target.profilers.get(name)
        if support and support.argv and not support.env and "program" in profilers.REGISTRY[name].looks_at:
            words = " ".join(support.argv)
            message = (
                f"target.yaml of '{target.name}' switches '{name}' on by 'argv' ({words}), which a bench"
            )
            diagnostics.add(
                at, f"{message} does not get: let it read a variable, and name that in 'env' there"
            )


def check_workloads(
    diagnostics: Diagnostics,
    loads: tuple[Workload, ...],
    variants: Mapping[str, Variant],
    targets: Mapping[str, Target],
    mounts: int,
) -> None:
    """Each load as each variant gets it."""
    for workload in loads:
        by_variant = {
            name: (targets[variant.target], workload.for_variant(variant).settings)
            for name, variant in variants.items()
        }
        at: Key = ("workloads", workload.name, workload.kind)
        _check_timeout(diagnostics, workload)
        context = CheckContext(targets, workload.mounts(mounts), by_variant)
        workload.behaviour.check(diagnostics, at, workload.settings, context)


def _check_timeout(diagnostics: Diagnostics, workload: Workload) -> None:
    """A load that is ended before it can end by itself fails in every run."""
    takes_s = workload.behaviour.seconds(workload.settings) or 0.0
    if workload.timeout_s > takes_s:
        return
    written = diagnostics.source.texts.get(at := ("workloads", workload.name, "timeout"))
    needs = f"which takes {takes_s:g} s" if takes_s else "which takes its time"
    message = f"after {workload.timeout_s:g} s the load, {needs}, counts as failed: allow it more"
    enough = f"{max(60, round(2 * takes_s))}s"
    if written is not None:
        diagnostics.add(at, message, suggestion=enough)
    else:
        diagnostics.add(at[:-1], message, of_key=True, corrected=f"timeout: {enough}")


def check_own_options(
    diagnostics: Diagnostics,
    drafts: list[Draft],
    variants: Mapping[str, Variant],
    loads: tuple[Workload, ...],
) -> None:
    """What single variants change of loads."""
    for draft in drafts:
        own = variants[draft.name].own if draft.name in variants else {}
        for kind, options in own.items():
            if diagnostics.broken_below(draft.place(kind)):
                continue
            of_kind = [workload.settings for workload in loads if workload.kind == kind]
            if not of_kind and not diagnostics.broken_below(("workloads",)):
                diagnostics.add(draft.place(kind), f"no load here is a {kind} job", of_key=True)
            place_of = partial(draft.place, kind)
            workloads.REGISTRY[kind].check_own(diagnostics, place_of, options, of_kind)


def check_queries(diagnostics: Diagnostics, data: Mapping[str, Any]) -> None:
    """SQL that does not parse, names what is not there, or asks for what no profiler here records."""
    asked = data.get("queries", ())
    if not asked:
        return
    from fuselab.queries import catalogue
    from fuselab.queries.asking import fault_of

    entries = data.get("profilers", ())
    looking = {name for entry in entries for name in (entry if isinstance(entry, list) else [entry])}
    for i, query in enumerate(asked):
        at: Key = ("queries", i, "sql")
        sql = query.get("sql", "")
        fault = fault_of(sql)
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
