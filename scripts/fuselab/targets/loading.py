"""Reads `targets/<name>/target.yaml` into the frozen model."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import cache, partial
from itertools import product
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
    STORES,
    Backend,
    Build,
    CargoBuild,
    CommandBuild,
    CounterSource,
    Drain,
    Fits,
    Installed,
    MountTemplate,
    NoBuild,
    Option,
    ProfilerSupport,
    Service,
    Stopping,
    Target,
)
from fuselab.targets.pairs import pairs
from fuselab.targets.placeholders import Members
from fuselab.targets.services import load_service

NO_BACKEND = "none"
_BUILDS: dict[str, type[Any]] = {"cargo": CargoBuild, "command": CommandBuild, "installed": Installed}


def load_target(name: str, repository: Path, profilers: Collection[str] | None = None) -> Target:
    """The target `name`, complete. `profilers` are the names that it may speak of (None: any).

    Raises ExperimentErrors, also for a target that is not there.
    """
    path = find(repository, f"targets/{name}/target.yaml")
    diagnostics = Diagnostics(read_source(path, repository, "target", name, target_names))
    data = check_schema(diagnostics, "target")
    check_name(diagnostics, data, name, "folder")
    service = cache(partial(_service, repository))

    def members(name: str) -> int:
        found = service(name)
        return found.members if found else 1

    target = _target(diagnostics, path, data, members)
    _check(diagnostics, target, data, members)
    if profilers is not None:
        for each in target.profilers:
            if each not in profilers:
                diagnostics.unknown(("profilers", each), "profiler", profilers, of_key=True)
    known = service_names(repository)
    for services in _services(data):
        _check_services(diagnostics, services, known, service)
    diagnostics.raise_if_any()
    return target


def _target(diagnostics: Diagnostics, path: Path, data: Mapping[str, Any], members: Members) -> Target:
    read = partial(given, diagnostics.source)
    mount, supports = data.get("mount", {}), data.get("profilers", {})
    options = data.get("options", {})
    stores, backends = _backends(diagnostics, data, members)
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
        backends=backends or {NO_BACKEND: Backend(NO_BACKEND)},
        stores=stores,
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
        counters=(counters := read_counters(diagnostics, data, placeholders.of_counters(data, members))),
        known_failures=tuple(data.get("known_failures", ())),
        drain=_drain(diagnostics, data, counters, members),
        fits=Fits(**read(Fits, data["fits"], ("fits",))) if data.get("fits") else None,
    )


def _drain(
    diagnostics: Diagnostics, data: Mapping[str, Any], counters: tuple[CounterSource, ...], members: Members
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
    known = placeholders.of_counters(data, members)
    placeholders.check_texts(diagnostics, ("drain", "argv"), part.get("argv"), known)
    check_argv(diagnostics, ("drain", "argv"), part.get("argv"))
    return Drain(
        **given(diagnostics.source, Drain, part, ("drain",)),
        sources=counters if "counter" in part else (),
    )


def _backends(
    diagnostics: Diagnostics, data: Mapping[str, Any], members: Members
) -> tuple[dict[str, tuple[str, ...]], dict[str, Backend]]:
    """The names of its stores, where it says them in two parts, and its backends: those with a name, then the pairs."""
    named = {
        section: {
            name: _backend(diagnostics, (section, name), part, members)
            for name, part in data[section].items()
        }
        for section in ("backends", *STORES)
        if section in data
    }
    backends = named.pop("backends", {})
    for store, lacks in (STORES, STORES[::-1]):
        if store in named and lacks not in named and not diagnostics.broken((lacks,)):
            message = f"'{store}' makes no backend without '{lacks}': where it says all, call it 'backends'"
            diagnostics.add((store,), message, of_key=True, suggestion=None if backends else "backends")
    if named.keys() != set(STORES):
        return {}, backends
    for pair in pairs(diagnostics, named):
        if pair.name in backends:
            section = "backends" if pair.name in data.get("backends", {}) else STORES[0]
            message = f"two backends are called '{pair.name}', and one is a pair of `meta` and `data`: leave one out"
            diagnostics.add(
                (section, pair.name) if section == "backends" else (section,), message, of_key=True
            )
        backends.setdefault(pair.name, pair)
    return {store: tuple(named[store]) for store in STORES}, backends


def _backend(diagnostics: Diagnostics, at: Key, part: Mapping[str, Any], members: Members) -> Backend:
    given_here = given(diagnostics.source, Backend, part, at)
    if "service" in part:
        if "services" in part:
            message = "one service, or several: `service` and `services` exclude each other"
            diagnostics.add((*at, "service"), message, of_key=True)
        given_here["services"] = ((ONLY, str(part["service"])),)
    given_here["counters"] = read_counters(
        diagnostics, part, placeholders.of_backend_counters(part, members, str(at[0])), at
    )
    return Backend(str(at[-1]), **given_here)


_Services = list[tuple[str, str, Key]]
"""Of one backend: what each is to it, its name, and where that stands."""


def _services(data: Mapping[str, Any]) -> Iterator[_Services]:
    """Of each backend, and of each pair of stores."""

    def of(section: str, only: str) -> list[_Services]:
        return [
            [(only, part["service"], (section, name, "service"))]
            if "service" in part
            else [
                (role, each, (section, name, "services", role))
                for role, each in part.get("services", {}).items()
            ]
            for name, part in data.get(section, {}).items()
        ]

    yield from of("backends", ONLY)
    for meta, of_data in product(*(of(store, store) for store in STORES)):
        yield meta + of_data


def _service(repository: Path, name: str) -> Service | None:
    """None where it is not there or cannot be read, which is said elsewhere."""
    with suppress(ExperimentErrors):
        return load_service(name, repository)
    return None


def _check_services(
    diagnostics: Diagnostics,
    services: _Services,
    names: Collection[str],
    service: Callable[[str], Service | None],
) -> None:
    """That each is there, and that no two listen on one port: they share the run's own network."""
    ports = dict[int, str]()
    for role, name, at in services:
        if name not in names:
            why = f": there is no services/{name}.yaml"
            diagnostics.unknown(at, "service", names, why=why)
            continue
        found = service(name)
        for port in found.ports if found else ():
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


def _check(diagnostics: Diagnostics, target: Target, data: Mapping[str, Any], members: Members) -> None:
    if target.mount.argv and isinstance(target.build, NoBuild) and not diagnostics.broken(("build",)):
        diagnostics.add(("mount",), "a mount needs a program: 'build' says none", of_key=True)
    if not target.mount.argv and not isinstance(target.build, NoBuild) and "mount" not in data:
        example = 'mount:\n  argv: ["{binary}", "{mountpoint}"]'
        message = "the key 'mount' is missing: a target with a program says how it is mounted"
        diagnostics.add(("mount",), message, of_key=True, corrected=example)
    if "fits" in data and not isinstance(target.build, CargoBuild | CommandBuild):
        message = "nothing is built from a source here, whose revisions 'fits' could tell apart"
        diagnostics.add(("fits",), message, of_key=True)
    for i, word in enumerate(data.get("build", {}).get("cargo", {}).get("args", ())):
        if str(word).partition("=")[0] == "--target-dir":
            message = "'--target-dir' cannot stand here: fuselab chooses where cargo works; leave it out"
            diagnostics.add(("build", "cargo", "args", i), message)
    placeholders.check(diagnostics, data, members)
    mount, command = data.get("mount", {}), data.get("build", {}).get("command", {})
    check_argv(diagnostics, ("mount", "argv"), mount.get("argv"))
    check_argvs(diagnostics, ("mount", "prepare"), mount.get("prepare"))
    check_argv(diagnostics, ("build", "command", "argv"), command.get("argv"))
