"""Reads `services/<name>.yaml` into the frozen model."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from fuselab.project import find
from fuselab.schema.diagnostics import Diagnostics
from fuselab.schema.reading import check_name, given, read_source, service_names
from fuselab.schema.validation import check_schema
from fuselab.targets import placeholders
from fuselab.targets.counters import read_counters
from fuselab.targets.model import CounterSource, Service


def load_service(name: str, repository: Path) -> Service:
    """How the service `name` is run. Raises ExperimentErrors, also for a service that is not there."""
    return read_service(name, repository)[0]


def read_service(name: str, repository: Path) -> tuple[Service, tuple[CounterSource, ...]]:
    """The whole file: how the service is run, and what it counts itself, which no timed run's spec may know."""
    path = find(repository, f"services/{name}.yaml")
    diagnostics = Diagnostics(read_source(path, repository, "service", name, service_names(repository)))
    data = check_schema(diagnostics, "service")
    check_name(diagnostics, data, name, "file")
    placeholders.check_service(diagnostics, data)
    read = partial(given, diagnostics.source, Service)
    service = Service(
        **read(data, ())
        | read(data.get("ready", {}), ("ready",), "ready_")
        | read(data.get("stop", {}), ("stop",), "stop_")
        | {"name": name}
    )
    counters = read_counters(diagnostics, data, placeholders.SERVICE)
    diagnostics.raise_if_any()
    return service, counters
