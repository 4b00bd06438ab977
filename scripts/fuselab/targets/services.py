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
from fuselab.targets.model import ONLY, CounterSource, Service, port_name


def load_service(name: str, repository: Path) -> Service:
    """How the service `name` is run. Raises ExperimentErrors, also for a service that is not there."""
    return read_service(name, repository)[0]


def read_service(name: str, repository: Path) -> tuple[Service, tuple[CounterSource, ...]]:
    """The whole file: how the service is run, and what it counts itself, which no timed run's spec may know."""
    path = find(repository, f"services/{name}.yaml")
    diagnostics = Diagnostics(read_source(path, repository, "service", name, service_names))
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
    _check_members(diagnostics, service)
    counters = read_counters(diagnostics, data, placeholders.SERVICE)
    diagnostics.raise_if_any()
    return service, counters


def _check_members(diagnostics: Diagnostics, service: Service) -> None:
    """That each has a port of its own."""
    if service.members == 1:
        return
    if service.ports[-1] > 65535:
        message = f"{service.members} members have the ports {service.port} to {service.ports[-1]}: the last is 65535"
        diagnostics.add(("port",), message)
    if not any(f"{{{port_name(ONLY)}}}" in text for text in (*service.argv, *dict(service.env).values())):
        message = (
            "all members would listen on one port: each has its own `{port}`, which stands in `argv` or `env`"
        )
        diagnostics.add(("argv",), message, of_key=True)
