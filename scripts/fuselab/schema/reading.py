"""What reading a target and reading a service have in common."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fuselab.schema import units
from fuselab.schema.diagnostics import Diagnostics, hint, near
from fuselab.schema.errors import ExperimentErrors, Problem
from fuselab.schema.yaml_source import Key, YamlSource, read_yaml

Pairs = tuple[tuple[str, str], ...]
Words = tuple[str, ...]


def target_names(repository: Path) -> list[str]:
    return sorted(path.parent.name for path in (repository / "targets").glob("*/target.yaml"))


def service_names(repository: Path) -> list[str]:
    return sorted(path.stem for path in (repository / "services").glob("*.yaml"))


def shown(path: Path, repository: Path) -> str:
    """`path` as the reader knows it: relative to the repository where it lies inside."""
    return str(path.relative_to(repository)) if path.is_relative_to(repository) else str(path)


def read_source(path: Path, repository: Path, noun: str, names: list[str]) -> YamlSource:
    where = shown(path, repository)
    if not path.is_file():
        wanted = path.parent.name if noun == "target" else path.stem
        close = near(wanted, names)
        message = f"there is no {noun} '{wanted}'{hint(close)}"
        raise ExperimentErrors([Problem(where, 1, 1, "", wanted, message, tuple(names), close)])
    return read_yaml(path, where)


class Reader:
    """Plain data, already held against its schema, as tuples of text."""

    def __init__(self, diagnostics: Diagnostics) -> None:
        self.diagnostics = diagnostics
        self.source = diagnostics.source

    def text(self, at: Key, value: object) -> str:
        """A scalar as it is written in the file."""
        return self.source.texts.get(at, str(value))

    def words(self, data: Mapping[str, Any], at: Key, key: str) -> Words:
        return tuple(self.text((*at, key, i), word) for i, word in enumerate(data.get(key, ())))

    def argvs(self, data: Mapping[str, Any], at: Key, key: str) -> tuple[Words, ...]:
        return tuple(
            tuple(self.text((*at, key, i, j), word) for j, word in enumerate(argv))
            for i, argv in enumerate(data.get(key, ()))
        )

    def pairs(self, data: Mapping[str, Any], at: Key, key: str) -> Pairs:
        return tuple((name, self.text((*at, key, name), value)) for name, value in data.get(key, {}).items())


def ready(part: Mapping[str, Any]) -> dict[str, Any]:
    ready = part.get("ready", {})
    return {"ready_timeout_s": units.seconds(ready["timeout"])} if "timeout" in ready else {}


def check_name(diagnostics: Diagnostics, data: Mapping[str, Any], name: str, noun: str) -> None:
    if "name" in data and data["name"] != name:
        message = f"the name '{data['name']}' differs from that of the {noun}, '{name}'"
        diagnostics.add(("name",), message, suggestion=re.sub(r"\s", "-", name))
