"""Which placeholders may stand where: a slip in one would reach the program as it is written."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from fuselab.experiment.findings import Findings, near
from fuselab.experiment.yaml_source import Key

_WORD = re.compile(r"\{([A-Za-z_-]+)\}")
RUN = frozenset({"binary", "mountpoint", "state", "capture", "port"})
PARTS = frozenset({"backend", "options", "profiler"})
SERVICE = frozenset({"state", "port"})


def check(findings: Findings, data: Mapping[str, Any]) -> None:
    """Of a target: its mount, backends, options and profilers."""
    mount = data.get("mount", {})
    _texts(findings, ("mount", "argv"), mount.get("argv"), RUN | PARTS)
    _texts(findings, ("mount", "env"), mount.get("env"), RUN)
    _texts(findings, ("mount", "prepare"), mount.get("prepare"), RUN | PARTS)
    for name, text in mount.get("files", {}).items():
        _slips(findings, ("mount", "files", name), text, RUN)
    for name, part in data.get("backends", {}).items():
        for key in ("argv", "env"):
            _texts(findings, ("backends", name, key), part.get(key), RUN)
    for name, part in data.get("options", {}).items():
        for key in ("argv", "env"):
            _texts(findings, ("options", name, key), part.get(key), RUN | {"value"})
    for name, part in data.get("profilers", {}).items():
        for key in ("argv", "env"):
            _texts(findings, ("profilers", name, key), part.get(key), RUN)
    _unreachable(findings, data)


def check_service(findings: Findings, data: Mapping[str, Any]) -> None:
    for key in ("argv", "env", "prepare"):
        _texts(findings, (key,), data.get(key), SERVICE)
    _texts(findings, ("ready", "argv"), data.get("ready", {}).get("argv"), SERVICE)


def check_command(findings: Findings, at: Key, argv: Any, known: frozenset[str]) -> None:
    _texts(findings, at, argv, known)


def _texts(findings: Findings, at: Key, value: Any, known: frozenset[str]) -> None:
    if isinstance(value, dict):
        for name, inner in value.items():
            _texts(findings, (*at, name), inner, known)
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            _texts(findings, (*at, i), inner, known)
    elif isinstance(value, str):
        for word in _WORD.findall(value):
            if word not in known:
                _report(findings, at, value, word, known)
            elif word in PARTS and value != f"{{{word}}}":
                message = f"'{{{word}}}' stands for whole arguments: it is an item of its own"
                findings.add(at, message)


def _slips(findings: Findings, at: Key, text: str, known: frozenset[str]) -> None:
    """In a configuration file braces may mean anything: speak only of what is nearly a placeholder."""
    for word in _WORD.findall(text):
        if word not in known and near(word, sorted(known)):
            _report(findings, at, text, word, known)


def _report(findings: Findings, at: Key, text: str, word: str, known: frozenset[str]) -> None:
    close = near(word, sorted(known))
    hint = f"; did you mean '{{{close}}}'?" if close else ""
    corrected = None
    if close:
        span = findings.source.span(at, of_key=False)
        line = findings.source.lines[span.line - 1] if "\n" not in text else text
        corrected = line.replace(f"{{{word}}}", f"{{{close}}}")
    allowed = [f"{{{name}}}" for name in sorted(known)]
    suggestion = f"{{{close}}}" if close else None
    message = f"unknown placeholder '{{{word}}}'{hint}"
    findings.add(at, message, allowed=allowed, suggestion=suggestion, corrected=corrected)


def _unreachable(findings: Findings, data: Mapping[str, Any]) -> None:
    """Arguments that no `{backend}`, `{options}` or `{profiler}` in the mount's argv ever takes in."""
    argv = data.get("mount", {}).get("argv", ())
    for key, part in (("backends", "backend"), ("options", "options"), ("profilers", "profiler")):
        if f"{{{part}}}" in argv or findings.broken_below(("mount", "argv")):
            continue
        for name, inner in data.get(key, {}).items():
            if inner.get("argv"):
                message = f"these arguments are never used: 'mount.argv' has no item '{{{part}}}'"
                findings.add((key, name, "argv"), message, of_key=True)
