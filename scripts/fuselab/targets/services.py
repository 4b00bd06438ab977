"""Reads `services/<name>.yaml` into the frozen model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fuselab.schema import units
from fuselab.schema.diagnostics import Diagnostics
from fuselab.schema.reading import Reader, check_name, read_source, ready, service_names
from fuselab.schema.validation import check_schema
from fuselab.targets import placeholders
from fuselab.targets.model import Service


def load_service(name: str, repository: Path) -> Service:
    """The service `name`. Raises ExperimentErrors, also for a service that is not there."""
    path = repository / "services" / f"{name}.yaml"
    source = read_source(path, repository, "service", service_names(repository))
    diagnostics = Diagnostics(source)
    service = _service(diagnostics, name)
    diagnostics.raise_if_any()
    return service


def _service(diagnostics: Diagnostics, name: str) -> Service:
    data = check_schema(diagnostics, "service")
    check_name(diagnostics, data, name, "file")
    placeholders.check_service(diagnostics, data)
    reader = Reader(diagnostics)
    readiness, stop = data.get("ready", {}), data.get("stop", {})
    given: dict[str, Any] = ready(data)
    if "signal" in stop:
        given["stop_signal"] = stop["signal"]
    if "timeout" in stop:
        given["stop_timeout_s"] = units.seconds(stop["timeout"])
    return Service(
        name=name,
        argv=reader.words(data, (), "argv"),
        port=data.get("port", 0),
        env=reader.pairs(data, (), "env"),
        prepare=reader.argvs(data, (), "prepare"),
        ready_argv=reader.words(readiness, ("ready",), "argv"),
        user=data.get("user"),
        **given,
    )
