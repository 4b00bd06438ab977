"""From a YAML file to a frozen experiment, or to everything that is wrong with it.

The order: the text is YAML; its data fits the schema; its names, units and combinations hold together with
the targets, profilers and services that are there. Faults of all three are collected and raised at once.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fuselab.experiment import checks
from fuselab.experiment.contrasts import read_contrasts
from fuselab.experiment.loads import read_workloads
from fuselab.experiment.model import Compare, Experiment, Variant
from fuselab.experiment.resolve import Targets, read_variant
from fuselab.experiment.variants import check_twins, read_drafts
from fuselab.queries.catalogue import Query
from fuselab.schema import units
from fuselab.schema.diagnostics import Diagnostics
from fuselab.schema.errors import ExperimentErrors
from fuselab.schema.reading import check_name, read_source
from fuselab.schema.validation import check_schema
from fuselab.system import state_root
from fuselab.targets.model import Service, Target
from fuselab.targets.placeholders import check_load
from fuselab.targets.services import load_service


@dataclass(frozen=True)
class Loaded:
    """An experiment with the targets and services that it needs, by name."""

    experiment: Experiment
    targets: Mapping[str, Target]
    services: Mapping[str, Service]


def experiment_names(repository: Path) -> list[str]:
    return sorted(path.stem for path in (repository / "experiments").glob("*.yaml"))


def load_experiment(path: Path, repository: Path) -> Loaded:
    """Read `path`. Raises ExperimentErrors with every fault that can be found without building anything."""
    source = read_source(path, repository, "experiment", path.stem, experiment_names(repository))
    diagnostics = Diagnostics(source)
    data = check_schema(diagnostics, "experiment")
    if not data:
        diagnostics.raise_if_any()
    check_name(diagnostics, data, path.stem, "file")
    targets = Targets(diagnostics, repository)
    drafts = read_drafts(diagnostics, data)
    variants: dict[str, Variant] = {}
    for draft in drafts:
        target = targets.get(draft)
        if target is not None:
            variants[draft.name] = read_variant(diagnostics, draft, target)
    check_twins(diagnostics, drafts, variants)
    contrasts = read_contrasts(diagnostics, data, drafts) if drafts else ()
    workloads = read_workloads(diagnostics, data)
    compare = _compare(data, checks.default_primary(workloads))
    mounts = data.get("mounts", 1)
    checks.check_workloads(diagnostics, workloads, variants, targets.by_name, mounts)
    checks.check_own_options(diagnostics, drafts, variants, workloads)
    check_load(diagnostics, ("workloads",), data.get("workloads"), mounts)
    checks.check_metrics(diagnostics, data, workloads)
    profilers = checks.read_profilers(diagnostics, data, workloads, targets.by_name)
    checks.check_queries(diagnostics, data)
    _check_state(diagnostics, data, repository)
    services = _services(diagnostics, variants, targets)
    diagnostics.raise_if_any()
    experiment = Experiment(
        name=path.stem,
        path=path,
        title=data.get("title", ""),
        variants=tuple(variants.values()),
        workloads=workloads,
        contrasts=contrasts,
        compare=compare,
        profilers=profilers,
        queries=tuple(Query(query["title"], query["sql"]) for query in data.get("queries", ())),
        **{key: data[key] for key in _PLAIN if key in data},
    )
    return Loaded(experiment, targets.by_name, services)


_PLAIN = ("blocks", "captures", "seed", "instrumentation", "cost", "network", "mounts", "state", "notes")
"""Keys that the model takes as they are; without them its own defaults hold."""


def _check_state(diagnostics: Diagnostics, data: Mapping[str, Any], repository: Path) -> None:
    """A `state` that is no folder, or none of one's own."""
    if "state" not in data:
        return
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


def _compare(data: Mapping[str, Any], default: tuple[str, ...]) -> Compare:
    part = data.get("compare", {})
    given: dict[str, Any] = {"primary": tuple(part.get("primary", default))}
    if "threshold" in part:
        given["threshold"] = units.fraction(part["threshold"])
    return Compare(**given)


def _services(
    diagnostics: Diagnostics, variants: Mapping[str, Variant], targets: Targets
) -> dict[str, Service]:
    services: dict[str, Service] = {}
    for variant in variants.values():
        name = targets.by_name[variant.target].backends[variant.backend].service
        if name is None or name in services:
            continue
        try:
            services[name] = load_service(name, targets.repository)
        except ExperimentErrors as errors:
            diagnostics.adopt(errors.problems)
    return services
