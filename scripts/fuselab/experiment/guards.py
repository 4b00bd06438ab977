"""What may get worse: `guard`, how much at most; `accept`, what is known and alarms nobody. No spec knows them."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from fuselab import workloads as kinds
from fuselab.building.source import WORKTREE
from fuselab.experiment.checks import TARGET_METRICS, metric_names, yields
from fuselab.experiment.model import Accept, Experiment, GuardRule, Variant, Workload
from fuselab.experiment.resolve import contains, revision_of
from fuselab.schema import units
from fuselab.schema.diagnostics import Diagnostics, hint, near
from fuselab.schema.yaml_source import Key
from fuselab.system.syscall_names import syscall_names
from fuselab.targets.model import Target
from fuselab.workloads import counters

if TYPE_CHECKING:
    from fuselab.records.contrast import Contrast
    from fuselab.records.design import Guard

_LIKE_A_DATE = re.compile(r"\d{4}[-/.]\d{1,2}[-/.]?\d{0,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{4}")


def read_guards(
    diagnostics: Diagnostics,
    data: Mapping[str, Any],
    loads: tuple[Workload, ...],
    contrasts: tuple[Contrast, ...],
    controls: frozenset[str],
    counting: bool,
) -> tuple[GuardRule, ...]:
    """`guard` of an experiment; `counting` is whether a program here keeps counters of its own."""
    found = []
    for metric, written in data.get("guard", {}).items():
        at: Key = ("guard", metric)
        part = written if isinstance(written, dict) else {"limit": written}
        at_limit = (*at, "limit") if isinstance(written, dict) else at
        _check_metric(diagnostics, at, metric, data, loads, counting)
        judged = [c.variant for c in contrasts if c.variant not in controls]
        _check_names(diagnostics, (*at, "variants"), "variant", part.get("variants", ()), judged)
        _check_names(diagnostics, (*at, "workloads"), "load", part.get("workloads", ()), _written(loads))
        if diagnostics.broken_below(at):
            continue
        limit = units.fraction(part["limit"])
        _check_limit(diagnostics, at_limit, metric, limit)
        found.append(
            GuardRule(metric, limit, *(tuple(part.get(key, ())) for key in ("variants", "workloads")))
        )
    return tuple(found)


def read_accepted(
    diagnostics: Diagnostics,
    data: Mapping[str, Any],
    loads: tuple[Workload, ...],
    variants: Mapping[str, Variant],
    contrasts: tuple[Contrast, ...],
    primary: tuple[str, ...],
    targets: Mapping[str, Target],
) -> tuple[Accept, ...]:
    """`accept` of an experiment."""
    judged = [*dict.fromkeys((*data.get("guard", {}), *primary))]
    found = []
    for i, part in enumerate(data.get("accept", ())):
        at: Key = ("accept", i)
        if not {"metric", "variant", "until"} <= part.keys() or diagnostics.broken(at):
            continue
        if part["metric"] not in judged:
            why = " among the guarded and the primary ones"
            diagnostics.unknown((*at, "metric"), "metric", judged, why=why)
        _check_name(diagnostics, (*at, "variant"), "variant", part["variant"], [c.variant for c in contrasts])
        if "workload" in part:
            _check_name(diagnostics, (*at, "workload"), "load", part["workload"], _written(loads))
        variant = variants.get(part["variant"])
        reached = variant is not None and _reached(
            diagnostics, (*at, "until"), part["until"], variant, targets[variant.target]
        )
        names = {key: part.get(key, "") for key in ("metric", "variant", "reason", "until", "workload")}
        found.append(Accept(**names, reached=reached))
    return tuple(found)


def guards_of(experiment: Experiment) -> tuple[Guard, ...]:
    """Each guard in each contrast and load that yields it: of a curve what is timed, of its points what is counted."""
    from fuselab.records.design import Guard

    controls = {variant.name for variant in experiment.variants if variant.control}
    found = [
        Guard(load, contrast.baseline, contrast.variant, rule.metric, rule.limit)
        for rule in experiment.guard
        for load in dict.fromkeys(_loads_of(experiment, rule))
        for contrast in experiment.contrasts
        if contrast.variant not in controls and contrast.variant in (rule.variants or (contrast.variant,))
    ]
    return tuple(found)


def _loads_of(experiment: Experiment, rule: GuardRule) -> Iterator[str]:
    for workload in experiment.workloads:
        written = workload.point.curve if workload.point else workload.name
        if written in (rule.workloads or (written,)) and _yields(workload, rule.metric):
            yield workload.name if _counted(rule.metric) else written


def _yields(workload: Workload, metric: str) -> bool:
    if not _counted(metric):
        return yields(workload, metric)
    return workload.behaviour.needs_mount and workload.behaviour.fixed(workload.settings) is not None


def _counted(metric: str) -> bool:
    return kinds.quantity(metric).counted


def _written(loads: tuple[Workload, ...]) -> list[str]:
    """Loads by the names that they are written with: a curve as one."""
    return list(dict.fromkeys(load.point.curve if load.point else load.name for load in loads))


def _check_metric(
    diagnostics: Diagnostics,
    at: Key,
    metric: str,
    data: Mapping[str, Any],
    loads: tuple[Workload, ...],
    counting: bool,
) -> None:
    if len(loads) < len(data.get("workloads", {"": None})):
        return  # one of them could not be read: who knows what it would yield
    if not _counted(metric):
        if not any(yields(load, metric) for load in loads):
            known = [*dict.fromkeys(name for load in loads for name in metric_names(load)), *TARGET_METRICS]
            why = " (no workload here yields it)"
            diagnostics.unknown(at, "metric", [*known, *counters.TOTALS], of_key=True, why=why, name=metric)
    elif data.get("work") is False:
        message = f"'{metric}' is counted, and 'work: false' says that nothing is: leave that out"
        diagnostics.add(at, message, of_key=True)
    elif not any(_yields(load, metric) for load in loads):
        message = (
            f"'{metric}' is counted in runs of fixed work, and no load here has an end but that of its time"
        )
        diagnostics.add(at, message, of_key=True)
    elif counters.is_own(metric):
        if not counting:
            message = f"'{metric}' is what a program counts itself, and no target here says where: 'counters'"
            diagnostics.add(at, message + " in its target.yaml", of_key=True)
    elif call := counters.system_call(metric):
        _check_call(diagnostics, at, metric, call)


def _check_call(diagnostics: Diagnostics, at: Key, metric: str, call: str) -> None:
    names = set(syscall_names().values())
    if names and call not in names:  # without a compiler nobody knows
        close = near(metric, [*counters.TOTALS, *(counters.of_call(name) for name in sorted(names))])
        message = f"unknown counter '{metric}': '{call}' is no system call{hint(close)}"
        diagnostics.add(at, message, of_key=True, allowed=counters.TOTALS, suggestion=close)


def _check_limit(diagnostics: Diagnostics, at: Key, metric: str, limit: float) -> None:
    known = kinds.quantity(metric)
    if known.better == "higher" and limit >= 1:
        diagnostics.add(at, f"'{metric}' cannot fall by {limit:.0%}: say less than 100%", suggestion="10%")
    elif not known.counted and limit <= 0:
        message = f"no clock can show that '{metric}' is not worse at all: say by how much it may be"
        diagnostics.add(at, message, suggestion="5%")
    elif limit < known.resolution:
        message = f"'{metric}' is a percentile, of which no change below {known.resolution:.0%} is told"
        diagnostics.add(at, message, suggestion="5%")


def _check_names(diagnostics: Diagnostics, at: Key, noun: str, names: Any, known: list[str]) -> None:
    for i, name in enumerate(names):
        _check_name(diagnostics, (*at, i), noun, name, known)


def _check_name(diagnostics: Diagnostics, at: Key, noun: str, name: str, known: list[str]) -> None:
    if name not in known and not diagnostics.broken_below(("variants",)):
        why = " (it is compared with nothing here)" if noun == "variant" else ""
        diagnostics.unknown(at, noun, known, why=why, name=name)


def _reached(diagnostics: Diagnostics, at: Key, until: str, variant: Variant, target: Target) -> bool:
    """Whether the variant's commit has what the acceptance ends with; a day is looked at when it comes."""
    if is_day(until):
        return False
    if _LIKE_A_DATE.fullmatch(until):
        diagnostics.add(at, f"'{until}' is no day: write it as year, month and day, such as 2027-03-31")
        return False
    found = revision_of(target, until)
    if found is None:
        message = f"'{until}' is neither a day nor a revision in the source of '{target.name}'"
        diagnostics.add(at, f"{message}: write a day as year-month-day, or an existing commit, tag or branch")
        return False
    return contains(target, "HEAD" if variant.rev == WORKTREE else variant.rev, found)


def is_day(text: str) -> bool:
    try:
        return datetime.date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
