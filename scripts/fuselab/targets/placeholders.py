"""Which placeholders may stand where: a slip in one would reach the program as it is written."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from fuselab.schema.diagnostics import Diagnostics, flow, hint, near
from fuselab.schema.yaml_source import Key
from fuselab.targets.model import SCRATCH, mountpoint_name

_WORD = re.compile(r"(?<!\$)\{([A-Za-z_-]+[0-9]*)\}")
RUN = frozenset({"binary", "mountpoint", "state", "capture", "port"})
MOUNT = RUN | {"number"}
PARTS = frozenset({"backend", "options", "profiler"})
SERVICE = frozenset({"state", "port"})
COUNTERS = RUN - {"capture"}


def check(diagnostics: Diagnostics, data: Mapping[str, Any]) -> None:
    """Of a target: its mount, backends, options and profilers."""
    mount = data.get("mount", {})
    check_texts(diagnostics, ("mount", "argv"), mount.get("argv"), MOUNT | PARTS)
    check_texts(diagnostics, ("mount", "env"), mount.get("env"), MOUNT)
    check_texts(diagnostics, ("mount", "prepare"), mount.get("prepare"), RUN | PARTS)
    for name, text in mount.get("files", {}).items():
        _slips(diagnostics, ("mount", "files", name), text, RUN)
    for name, part in data.get("backends", {}).items():
        for key in ("argv", "env"):
            check_texts(diagnostics, ("backends", name, key), part.get(key), MOUNT)
    for name, part in data.get("options", {}).items():
        for key in ("argv", "env"):
            check_texts(diagnostics, ("options", name, key), part.get(key), MOUNT | {"value"})
    for name, part in data.get("profilers", {}).items():
        for key in ("argv", "env"):
            check_texts(diagnostics, ("profilers", name, key), part.get(key), MOUNT)
    _unreachable(diagnostics, data)
    _nowhere(diagnostics, data)


def check_service(diagnostics: Diagnostics, data: Mapping[str, Any]) -> None:
    for key in ("argv", "env", "prepare"):
        check_texts(diagnostics, (key,), data.get(key), SERVICE)
    check_texts(diagnostics, ("ready", "argv"), data.get("ready", {}).get("argv"), SERVICE)


def check_load(diagnostics: Diagnostics, at: Key, value: Any, mounts: int) -> None:
    """A command, steps, or the options of fio jobs: these know the run's mounts, and may hold any other braces."""
    known = frozenset({SCRATCH, *(mountpoint_name(number) for number in range(1, mounts + 1))})
    for place, text in _leaves(at, value):
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
    diagnostics.add(at, message, allowed=allowed, suggestion=suggestion, corrected=corrected)


def _unreachable(diagnostics: Diagnostics, data: Mapping[str, Any]) -> None:
    """Arguments that no `{backend}`, `{options}` or `{profiler}` in the mount's argv ever takes in."""
    argv = data.get("mount", {}).get("argv", ())
    for key, part in (("backends", "backend"), ("options", "options"), ("profilers", "profiler")):
        if f"{{{part}}}" in argv or diagnostics.broken_below(("mount", "argv")):
            continue
        for name, inner in data.get(key, {}).items():
            if inner.get("argv"):
                message = f"these arguments are never used: 'mount.argv' has no item '{{{part}}}'"
                diagnostics.add((key, name, "argv"), message, of_key=True)


def _nowhere(diagnostics: Diagnostics, data: Mapping[str, Any]) -> None:
    """A mount that nobody tells where to mount: neither its arguments nor its environment and files."""
    argv = data.get("mount", {}).get("argv", ())
    if not argv or diagnostics.broken_below(("mount",)):
        return
    said = [data["mount"].get(key) for key in ("argv", "env", "files")]
    said += [data.get(key) for key in ("backends", "options", "profilers")]
    if any("mountpoint" in _WORD.findall(text) for part in said for _, text in _leaves((), part)):
        return
    words = [diagnostics.source.texts.get(("mount", "argv", i), str(word)) for i, word in enumerate(argv)]
    message = (
        "the program is not told where to mount: '{mountpoint}' is an argument, or stands in 'env' or 'files'"
    )
    diagnostics.add(("mount", "argv"), message, suggestion=flow([*words, "{mountpoint}"]))
