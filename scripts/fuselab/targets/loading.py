"""Reads `targets/<name>/target.yaml` into the frozen model."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from fuselab.project import find
from fuselab.schema import units
from fuselab.schema.argvs import check_argv, check_argvs
from fuselab.schema.diagnostics import Diagnostics
from fuselab.schema.errors import ExperimentErrors
from fuselab.schema.reading import check_name, frozen, given, read_source, service_names, target_names
from fuselab.schema.validation import check_schema
from fuselab.schema.yaml_source import Key
from fuselab.targets import placeholders
from fuselab.targets.counters import read_counters
from fuselab.targets.model import (
    ONLY,
    Backend,
    Build,
    CargoBuild,
    CommandBuild,
    CounterSource,
    Drain,
    Installed,
    MountTemplate,
    NoBuild,
    Option,
    ProfilerSupport,
    Stopping,
    Target,
)
from fuselab.targets.services import load_service

NO_BACKEND = "none"
_BUILDS: dict[str, type[Any]] = {"cargo": CargoBuild, "command": CommandBuild, "installed": Installed}


def load_target(name: str, repository: Path, profilers: Collection[str] | None = None) -> Target:
    """The target `name`, complete. `profilers` are the names that it may speak of (None: any).

    Raises ExperimentErrors, also for a target that is not there.
    """
    path = find(repository, f"targets/{name}/target.yaml")
    diagnostics = Diagnostics(read_source(path, repository, "target", name, target_names(repository)))
    data = check_schema(diagnostics, "target")
    check_name(diagnostics, data, name, "folder")
    target = _target(diagnostics, path, data)
    _check(diagnostics, target, data)
    if profilers is not None:
        for each in target.profilers:
            if each not in profilers:
                diagnostics.unknown(("profilers", each), "profiler", profilers, of_key=True)
    for backend in target.backends.values():
        _check_services(diagnostics, backend, repository)
    diagnostics.raise_if_any()
    return target


def _target(diagnostics: Diagnostics, path: Path, data: Mapping[str, Any]) -> Target:
    read = partial(given, diagnostics.source)
    mount, supports = data.get("mount", {}), data.get("profilers", {})
    backends, options = data.get("backends", {}), data.get("options", {})
    return Target(
        name=path.parent.name,
        path=path,
        title=data.get("title", ""),
        build=_build(diagnostics, path, data.get("build", {})),
        mount=MountTemplate(
            **read(MountTemplate, mount, ("mount",)),
            **read(MountTemplate, mount.get("ready", {}), ("mount", "ready"), "ready_"),
        ),
        stop=Stopping(**read(Stopping, data.get("stop", {}), ("stop",))),
        backends={name: _backend(diagnostics, name, part) for name, part in backends.items()}
        or {NO_BACKEND: Backend(NO_BACKEND)},
        options={
            name: Option(name, **read(Option, part, ("options", name))) for name, part in options.items()
        },
        profilers={
            name: replace(
                ProfilerSupport(name, **read(ProfilerSupport, part, ("profilers", name))),
                log_filter=_log_filter(diagnostics, part, ("profilers", name)),
            )
            for name, part in supports.items()
        },
        log_filter=_log_filter(diagnostics, data, ()),
        counters=(counters := read_counters(diagnostics, data, placeholders.of_counters(data))),
        known_failures=tuple(data.get("known_failures", ())),
        drain=_drain(diagnostics, data, counters),
    )


def _drain(
    diagnostics: Diagnostics, data: Mapping[str, Any], counters: tuple[CounterSource, ...]
) -> Drain | None:
    part = data.get("drain")
    if not part or diagnostics.broken_below(("drain",)):
        return None
    if "mount" not in data:
        diagnostics.add(("drain",), "nothing is mounted, so there is nothing to drain", of_key=True)
    if "counter" in part and not counters and not diagnostics.broken_below(("counters",)):
        message = "no counter is known by that name: 'counters' says where this target's can be read"
        diagnostics.add(("drain", "counter"), message)
    if "quiet" in part and units.seconds(part["quiet"]) >= units.seconds(part.get("limit", "60s")):
        message = "nothing is quiet for so long before the limit ends: a longer 'limit', or a shorter 'quiet'"
        diagnostics.add(("drain", "quiet"), message)
    placeholders.check_texts(diagnostics, ("drain", "argv"), part.get("argv"), placeholders.of_counters(data))
    check_argv(diagnostics, ("drain", "argv"), part.get("argv"))
    return Drain(
        **given(diagnostics.source, Drain, part, ("drain",)),
        sources=counters if "counter" in part else (),
    )


def _backend(diagnostics: Diagnostics, name: str, part: Mapping[str, Any]) -> Backend:
    given_here = given(diagnostics.source, Backend, part, ("backends", name))
    if "service" in part:
        if "services" in part:
            message = "one service, or several: `service` and `services` exclude each other"
            diagnostics.add(("backends", name, "service"), message, of_key=True)
        given_here["services"] = ((ONLY, str(part["service"])),)
    at: Key = ("backends", name)
    given_here["counters"] = read_counters(diagnostics, part, placeholders.of_backend_counters(part), at)
    return Backend(name, **given_here)


def _check_services(diagnostics: Diagnostics, backend: Backend, repository: Path) -> None:
    """That each is there, and that no two listen on one port: they share the run's own network."""
    names, ports = service_names(repository), dict[int, str]()
    for role, name in backend.services:
        at = ("backends", backend.name, *(("services", role) if role else ("service",)))
        if name not in names:
            why = f": there is no services/{name}.yaml"
            diagnostics.unknown(at, "service", names, why=why)
            continue
        with suppress(ExperimentErrors):  # said where the service itself is read
            port = load_service(name, repository).port
            if (other := ports.setdefault(port, role)) != role:
                diagnostics.add(
                    at,
                    f"`{other}` and `{role}` both listen on port {port}: give one of them a file of its own below "
                    "`services/`, with another `port`",
                )


def _log_filter(diagnostics: Diagnostics, part: Mapping[str, Any], at: Key) -> tuple[str, str] | None:
    pairs = frozen(diagnostics.source, (*at, "log_filter"), part.get("log_filter", {}))
    return next(iter(pairs), None)


def _build(diagnostics: Diagnostics, path: Path, data: Mapping[str, Any]) -> Build:
    for kind, part in data.items():
        if kind not in _BUILDS:
            continue
        read = given(diagnostics.source, _BUILDS[kind], part, ("build", kind))
        if kind == "installed":
            read["binary"] = os.path.expanduser(part.get("binary", ""))
        else:
            read["source"] = _source(path, part)
        build: Build = _BUILDS[kind](**read)
        return build
    return NoBuild()


def _source(path: Path, part: Mapping[str, Any]) -> Path | None:
    """The variable if it is set, the path if there is one, else the folder of target.yaml."""
    variable = part.get("source_env")
    if variable and os.environ.get(variable):
        return Path(os.environ[variable]).expanduser().resolve()
    if "source" in part:
        return (path.parent / Path(part["source"]).expanduser()).resolve()
    return None if variable else path.parent.resolve()


def _check(diagnostics: Diagnostics, target: Target, data: Mapping[str, Any]) -> None:
    if target.mount.argv and isinstance(target.build, NoBuild) and not diagnostics.broken(("build",)):
        diagnostics.add(("mount",), "a mount needs a program: 'build' says none", of_key=True)
    if not target.mount.argv and not isinstance(target.build, NoBuild) and "mount" not in data:
        example = 'mount:\n  argv: ["{binary}", "{mountpoint}"]'
        message = "the key 'mount' is missing: a target with a program says how it is mounted"
        diagnostics.add(("mount",), message, of_key=True, corrected=example)
    for i, word in enumerate(data.get("build", {}).get("cargo", {}).get("args", ())):
        if str(word).partition("=")[0] == "--target-dir":
            message = "'--target-dir' cannot stand here: fuselab chooses where cargo works; leave it out"
            diagnostics.add(("build", "cargo", "args", i), message)
    placeholders.check(diagnostics, data)
    mount, command = data.get("mount", {}), data.get("build", {}).get("command", {})
    check_argv(diagnostics, ("mount", "argv"), mount.get("argv"))
    check_argvs(diagnostics, ("mount", "prepare"), mount.get("prepare"))
    check_argv(diagnostics, ("build", "command", "argv"), command.get("argv"))
