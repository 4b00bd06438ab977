"""From a YAML file to a frozen experiment, or to everything that is wrong with it.

The order: the text is YAML; its data fits the schema; its names, units and combinations hold together with
the targets, profilers and services that are there. Faults of all three are collected and raised at once.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fuselab import project
from fuselab.experiment import budget, checks, sweep_checks, sweeps, turns
from fuselab.experiment.contrasts import check_compared, read_contrasts
from fuselab.experiment.guards import read_accepted, read_guards
from fuselab.experiment.loads import read_workloads
from fuselab.experiment.model import Compare, Experiment, GuardRule, Variant, Workload
from fuselab.experiment.resolve import Targets, read_variant
from fuselab.experiment.variants import check_twins, read_drafts
from fuselab.queries.query import Query
from fuselab.records.cpus import Cpus
from fuselab.schema import units
from fuselab.schema.argvs import check_argv
from fuselab.schema.diagnostics import Diagnostics
from fuselab.schema.errors import ExperimentErrors
from fuselab.schema.reading import check_name, read_source
from fuselab.schema.validation import check_schema
from fuselab.targets.model import CounterSource, Service, Target
from fuselab.targets.placeholders import check_load
from fuselab.targets.services import read_service
from fuselab.workloads import quantity
from fuselab.workloads.verifying.base import DATA

if TYPE_CHECKING:
    from fuselab.records.contrast import Contrast


@dataclass(frozen=True)
class Loaded:
    """An experiment with the targets and services that it needs, by name."""

    experiment: Experiment
    targets: Mapping[str, Target]
    services: Mapping[str, Service]
    counters: Mapping[str, tuple[CounterSource, ...]] = field(default_factory=dict)
    """What each service counts itself."""


def experiment_names(repository: Path) -> list[str]:
    return [path.stem for path in project.names(repository, "experiments/*.yaml")]


def load_experiment(path: Path, repository: Path) -> Loaded:
    """Read `path`. Raises ExperimentErrors with every fault that can be found without building anything."""
    source = read_source(path, repository, "experiment", path.stem, experiment_names)
    diagnostics = Diagnostics(source)
    data = check_schema(diagnostics, "experiment")
    if not data:
        diagnostics.raise_if_any()
    check_name(diagnostics, data, path.stem, "file")
    swept = sweeps.expand(diagnostics, data)
    if swept.points:
        check_schema(diagnostics, "experiment")
    targets = Targets(diagnostics, repository)
    drafts = read_drafts(diagnostics, data)
    variants: dict[str, Variant] = {}
    for draft in drafts:
        target = targets.get(draft)
        if target is not None:
            variants[draft.name] = read_variant(diagnostics, draft, target)
    check_twins(diagnostics, drafts, variants)
    contrasts = read_contrasts(diagnostics, data, drafts) if drafts else ()
    check_compared(diagnostics, data, contrasts)
    workloads = read_workloads(diagnostics, data, swept.points)
    compare = _compare(data, checks.default_primary(workloads))
    mounts = data.get("mounts", 1)
    checks.check_workloads(diagnostics, workloads, variants, targets.by_name, mounts)
    turns.check(diagnostics, data, workloads, variants)
    within = budget.blocks_of(diagnostics, data, workloads, variants)
    sweep_checks.check(diagnostics, swept, workloads, variants, targets.by_name)
    checks.check_own_options(diagnostics, drafts, variants, workloads)
    for name, part in data.get("workloads", {}).items():
        here = swept.points[name].mounts if name in swept.points else None
        check_load(diagnostics, ("workloads", name), part, here or mounts)
    checks.check_metrics(diagnostics, data, workloads)
    profilers = checks.read_profilers(diagnostics, data, workloads, targets.by_name)
    checks.check_queries(diagnostics, data)
    _check_state(diagnostics, data, repository)
    services, counters = _services(diagnostics, variants, targets)
    guards = _guards(diagnostics, data, workloads, contrasts, variants, targets, counters)
    accepted = read_accepted(
        diagnostics, data, workloads, variants, contrasts, compare.primary, targets.by_name
    )
    check_argv(diagnostics, ("notify",), data.get("notify"))
    diagnostics.raise_if_any()
    if any(quantity(guard.metric).counted for guard in guards):
        data.setdefault("work", True)
    if within is not None:
        data["blocks"] = within
    experiment = Experiment(
        name=path.stem,
        path=path,
        title=data.get("title", ""),
        variants=tuple(variants.values()),
        workloads=workloads,
        contrasts=contrasts,
        compare=compare,
        profilers=profilers,
        verify=tuple(data.get("verify", (DATA,))),
        queries=tuple(Query(query["title"], query["sql"]) for query in data.get("queries", ())),
        guard=guards,
        accept=accepted,
        notify=tuple(map(str, data.get("notify", ()))),
        cpus=Cpus(**{of: tuple(numbers) for of, numbers in data.get("cpus", {}).items()}),
        budget_s=None if within is None else units.seconds(data["budget"]),
        **{key: data[key] for key in _PLAIN if key in data},
    )
    return Loaded(experiment, targets.by_name, services, counters)


_PLAIN = (
    "blocks",
    "captures",
    "seed",
    "instrumentation",
    "cost",
    "work",
    "network",
    "mounts",
    "state",
    "notes",
)
"""Keys that the model takes as they are; without them its own defaults hold."""


def _guards(
    diagnostics: Diagnostics,
    data: Mapping[str, Any],
    workloads: tuple[Workload, ...],
    contrasts: tuple[Contrast, ...],
    variants: Mapping[str, Variant],
    targets: Targets,
    counters: Mapping[str, tuple[CounterSource, ...]],
) -> tuple[GuardRule, ...]:
    controls = frozenset(variant.name for variant in variants.values() if variant.control)
    counting = any(target.counters for target in targets.by_name.values()) or any(counters.values())
    return read_guards(diagnostics, data, workloads, contrasts, controls, counting)


def _check_state(diagnostics: Diagnostics, data: Mapping[str, Any], repository: Path) -> None:
    """A `state` that is no folder, or none of one's own."""
    if "state" not in data:
        return

    from fuselab.system import state_root

    folder = Path(os.path.realpath(repository / os.path.expanduser(data["state"])))
    there = next(path for path in (folder, *folder.parents) if os.path.exists(path))
    if not there.is_dir():
        diagnostics.add(
            ("state",), f"{there} is no folder: 'state' is one on the disk that is to be measured"
        )
    elif reason := state_root.refusal(folder, repository.resolve()):
        diagnostics.add(("state",), reason)
    elif there == folder and (reason := state_root.owner_refusal(folder.stat())):
        diagnostics.add(("state",), f"{folder} {reason}: name a folder of your own")
    elif there == folder and (reason := state_root.network_refusal(folder)):
        diagnostics.add(("state",), reason)


def _compare(data: Mapping[str, Any], default: tuple[str, ...]) -> Compare:
    part = data.get("compare", {})
    given: dict[str, Any] = {"primary": tuple(part.get("primary", default))}
    if "threshold" in part:
        given["threshold"] = units.fraction(part["threshold"])
    return Compare(**given)


def _services(
    diagnostics: Diagnostics, variants: Mapping[str, Variant], targets: Targets
) -> tuple[dict[str, Service], dict[str, tuple[CounterSource, ...]]]:
    """By name: how each is run, and what it counts."""
    services: dict[str, Service] = {}
    counters: dict[str, tuple[CounterSource, ...]] = {}
    for variant in variants.values():
        for _, name in targets.by_name[variant.target].backends[variant.backend].services:
            if name in services:
                continue
            try:
                services[name], counters[name] = read_service(name, targets.repository)
            except ExperimentErrors as errors:
                diagnostics.adopt(errors.problems)
    return services, counters
