"""What reading experiments, targets and services has in common: finding the file, and freezing what it says."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from fuselab import project
from fuselab.schema import units
from fuselab.schema.diagnostics import Diagnostics, hint, near
from fuselab.schema.errors import ExperimentErrors, Problem
from fuselab.schema.yaml_source import Key, YamlSource, read_yaml


def target_names(repository: Path) -> list[str]:
    return [path.parent.name for path in project.names(repository, "targets/*/target.yaml")]


def service_names(repository: Path) -> list[str]:
    return [path.stem for path in project.names(repository, "services/*.yaml")]


def read_source(
    path: Path, repository: Path, noun: str, name: str, names_in: Callable[[Path], Sequence[str]]
) -> YamlSource:
    """The file of the `noun` called `name`. Raises ExperimentErrors: none of those that are there, or not YAML."""
    known_as = shown(path, repository)
    if path.is_file():
        return read_yaml(path, known_as)
    names = names_in(repository)
    close = near(name, names)
    message = f"there is no {noun} '{name}'{hint(close)}"
    raise ExperimentErrors([Problem(known_as, 1, 1, "", name, message, tuple(names), close)])


def shown(path: Path, repository: Path) -> str:
    """`path` as the reader knows it: relative to the repository where it lies inside."""
    for place, root in ((path, repository), (path.resolve(), repository.resolve())):
        if place.is_relative_to(root):
            return str(place.relative_to(root))
    return str(path.resolve())


def check_name(diagnostics: Diagnostics, data: Mapping[str, Any], name: str, noun: str) -> None:
    if "name" in data and data["name"] != name:
        message = f"the name '{data['name']}' differs from that of the {noun}, '{name}'"
        diagnostics.add(("name",), message, suggestion=re.sub(r"\s", "-", name))


def given(
    source: YamlSource, kind: type[Any], data: Mapping[str, Any], at: Key, prefix: str = ""
) -> dict[str, Any]:
    """What stands in `data` (at `at`, held against its schema already) of the fields of the dataclass `kind`.

    The key `timeout` is the field `timeout_s`; with a `prefix`, `ready_timeout_s`.
    """
    names = {field.name for field in fields(kind)}
    values = {}
    for key, value in data.items():
        if (field := f"{prefix}{key}") in names:
            values[field] = frozen(source, (*at, key), value)
        elif f"{field}_s" in names:
            values[f"{field}_s"] = units.seconds(value)
    return values


def frozen(source: YamlSource, at: Key, value: Any) -> Any:
    """Lists as tuples, mappings as pairs, and scalars inside them as they are written."""
    if isinstance(value, dict):
        return tuple((name, source.texts.get((*at, name), str(inner))) for name, inner in value.items())
    if isinstance(value, list):
        return tuple(
            frozen(source, (*at, i), inner)
            if isinstance(inner, list)
            else source.texts.get((*at, i), str(inner))
            for i, inner in enumerate(value)
        )
    return value
