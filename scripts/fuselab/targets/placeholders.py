"""Which placeholders may stand where: a slip in one would reach the program as it is written."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from itertools import product
from typing import Any

from fuselab.schema.diagnostics import Diagnostics, flow, hint, near
from fuselab.schema.yaml_source import Key
from fuselab.targets.model import MOUNTPOINTS, ONLY, SCRATCH, STORES, mountpoint_name, port_name

_WORD = re.compile(r"(?<!\$)\{([A-Za-z_-]+[0-9]*(?:\.[A-Za-z_-]+[0-9]*)?)\}")
_ANY = frozenset({"binary", "mountpoint", "state", "capture"})
_PORT = port_name(ONLY)
RUN = _ANY | {_PORT}
PARTS = frozenset({"backend", "options", "profiler"})
SERVICE = frozenset({"state", "member", _PORT})


Members = Callable[[str], int]
"""How many members a service has, by its name."""


def check(diagnostics: Diagnostics, data: Mapping[str, Any], members: Members) -> None:
    """Of a target: its mount, backends, options and profilers."""
    mount = data.get("mount", {})
    run = _ANY | _ports(data, members)
    each = run | {"number"}
    check_texts(diagnostics, ("mount", "argv"), mount.get("argv"), each | PARTS)
    check_texts(diagnostics, ("mount", "env"), mount.get("env"), each)
    check_texts(diagnostics, ("mount", "prepare"), mount.get("prepare"), run | PARTS)
    for name, text in mount.get("files", {}).items():
        _slips(diagnostics, ("mount", "files", name), text, run)
    for section in ("backends", *STORES):
        for name, part in data.get(section, {}).items():
            for key in ("argv", "env"):
                known = of_backend_counters(part, members, section) | {"capture", "number"}
                check_texts(diagnostics, (section, name, key), part.get(key), known)
    for name, part in data.get("options", {}).items():
        for key in ("argv", "env"):
            check_texts(diagnostics, ("options", name, key), part.get(key), each | {"value"})
    for name, part in data.get("profilers", {}).items():
        for key in ("argv", "env"):
            check_texts(diagnostics, ("profilers", name, key), part.get(key), each)
    _unreachable(diagnostics, data)
    _not_started(diagnostics, data)
    _nowhere(diagnostics, data)


def of_counters(data: Mapping[str, Any], members: Members) -> frozenset[str]:
    """What the places know at which a target counts."""
    return (_ANY | _ports(data, members)) - {"capture"}


def of_backend_counters(part: Mapping[str, Any], members: Members, section: str) -> frozenset[str]:
    """The same, of one backend alone; of a pair's store, which speaks of its own services alone, by its `section`."""
    ports = _ports_of(ONLY, part, members) or (frozenset() if section in STORES else frozenset({_PORT}))
    return (_ANY | ports) - {"capture"}


def _ports(data: Mapping[str, Any], members: Members) -> frozenset[str]:
    """Of all that every backend of a target has: what holds for one alone stands in its own `argv` and `env`."""

    def of(section: str, only: str) -> list[frozenset[str]]:
        return [_ports_of(only, part, members) for part in data.get(section, {}).values()]

    # Without a service, {port} is nothing.
    backends = [found or frozenset({_PORT}) for found in of("backends", ONLY)]
    backends += [meta | of_data for meta, of_data in product(*(of(store, store) for store in STORES))]
    return frozenset.intersection(*backends) if backends else frozenset({_PORT})


def _ports_of(only: str, part: Mapping[str, Any], members: Members) -> frozenset[str]:
    """Of the services of a backend, or of one of a pair of stores; `only` is what a single one is called."""
    services = part.get("services") or ({only: part["service"]} if "service" in part else {})
    return frozenset(
        port_name(role, number)
        for role, name in services.items()
        for number in range(1, members(str(name)) + 1)
    )


def check_service(diagnostics: Diagnostics, data: Mapping[str, Any]) -> None:
    for key in ("argv", "env", "prepare"):
        known = SERVICE - {"member"} if key == "prepare" else SERVICE
        check_texts(diagnostics, (key,), data.get(key), known)
    check_texts(diagnostics, ("ready", "argv"), data.get("ready", {}).get("argv"), SERVICE)


def check_load(diagnostics: Diagnostics, at: Key, value: Any, mounts: int) -> None:
    """A command, steps, or the options of fio jobs: these know the run's mounts, and may hold any other braces."""
    known = frozenset({SCRATCH, *(mountpoint_name(number) for number in range(1, mounts + 1))})
    for place, text in _leaves(at, value):
        if place[-1] == "directory" and text == MOUNTPOINTS:
            continue
        for number in re.findall(r"(?<!\$)\{mountpoint([0-9]+)\}", text):
            if f"mountpoint{number}" not in known:
                diagnostics.add(place, no_such_mount(number, mounts))
        _slips(diagnostics, place, text, known, elsewhere=RUN)


def no_such_mount(number: str, mounts: int) -> str:
    if int(number) < 2:
        return f"there is no mount {number} by that name: the first is '{{mountpoint}}'"
    return f"there is no mount {number}: 'mounts' says {mounts}"


def check_texts(diagnostics: Diagnostics, at: Key, value: Any, known: frozenset[str]) -> None:
    """Of every text in `value`, which knows the placeholders `known` and no other."""
    for place, text in _leaves(at, value):
        for word in _WORD.findall(text):
            if word not in known:
                _report(diagnostics, place, text, word, known)
            elif word in PARTS and text != f"{{{word}}}":
                message = f"'{{{word}}}' stands for whole arguments: it is an item of its own"
                diagnostics.add(place, message)


def _leaves(at: Key, value: Any) -> Iterator[tuple[Key, str]]:
    """Every text in `value`, with its place."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _leaves((*at, name), inner)
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            yield from _leaves((*at, i), inner)
    elif isinstance(value, str):
        yield at, value


def _slips(
    diagnostics: Diagnostics,
    at: Key,
    text: str,
    known: frozenset[str],
    elsewhere: frozenset[str] = frozenset(),
) -> None:
    """Where braces may mean anything: speak only of what is nearly a placeholder, or is one `elsewhere`."""
    for word in _WORD.findall(text):
        if word not in known and (word in elsewhere or near(word, sorted(known))):
            _report(diagnostics, at, text, word, known)


def _report(diagnostics: Diagnostics, at: Key, text: str, word: str, known: frozenset[str]) -> None:
    close = near(word, sorted(known))
    suggestion = f"{{{close}}}" if close else None
    corrected = None
    if suggestion:
        span = diagnostics.source.span(at, of_key=False)
        line = diagnostics.source.lines[span.line - 1] if "\n" not in text else text
        corrected = line.replace(f"{{{word}}}", suggestion)
    allowed = [f"{{{name}}}" for name in sorted(known)]
    message = f"unknown placeholder '{{{word}}}'{hint(suggestion)}"
    if word.rpartition(".")[2].rstrip("0123456789") == _PORT:
        message = f"not every backend that this is for has '{{{word}}}'{hint(suggestion)}"
    diagnostics.add(at, message, allowed=allowed, suggestion=suggestion, corrected=corrected)


def _unreachable(diagnostics: Diagnostics, data: Mapping[str, Any]) -> None:
    """Arguments that no `{backend}`, `{options}` or `{profiler}` in the mount's argv ever takes in."""
    argv = data.get("mount", {}).get("argv", ())
    backends = ((section, "backend") for section in ("backends", *STORES))
    for key, part in (*backends, ("options", "options"), ("profilers", "profiler")):
        if f"{{{part}}}" in argv or diagnostics.broken_below(("mount", "argv")):
            continue
        for name, inner in data.get(key, {}).items():
            if inner.get("argv"):
                message = f"these arguments are never used: 'mount.argv' has no item '{{{part}}}'"
                diagnostics.add((key, name, "argv"), message, of_key=True)


def _not_started(diagnostics: Diagnostics, data: Mapping[str, Any]) -> None:
    """A program that is built and not mounted: what is mounted instead would be measured under its name."""
    build, mount = data.get("build") or {}, data.get("mount") or {}
    if not {"cargo", "command"} & {*build} or not mount.get("argv") or diagnostics.broken_below(("mount",)):
        return
    others = {key: part for key, part in data.items() if key != "build"}
    if any("binary" in _WORD.findall(text) for _, text in _leaves((), others)):
        return
    first = str(mount["argv"][0])
    message = (
        f"what is built is never started: '{{binary}}' stands for it, and '{first}' is one that is installed"
    )
    diagnostics.add(("mount", "argv", 0), message, suggestion="'{binary}'")


def _nowhere(diagnostics: Diagnostics, data: Mapping[str, Any]) -> None:
    """A mount that nobody tells where to mount: neither its arguments nor its environment and files."""
    argv = data.get("mount", {}).get("argv", ())
    if not argv or diagnostics.broken_below(("mount",)):
        return
    said = [data["mount"].get(key) for key in ("argv", "env", "files")]
    said += [data.get(key) for key in ("backends", *STORES, "options", "profilers")]
    if any("mountpoint" in _WORD.findall(text) for part in said for _, text in _leaves((), part)):
        return
    words = [diagnostics.source.texts.get(("mount", "argv", i), str(word)) for i, word in enumerate(argv)]
    message = (
        "the program is not told where to mount: '{mountpoint}' is an argument, or stands in 'env' or 'files'"
    )
    diagnostics.add(("mount", "argv"), message, suggestion=flow([*words, "{mountpoint}"]))
