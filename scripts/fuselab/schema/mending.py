"""Puts what was probably meant in the place of what is wrong, so that later checks speak of their own faults.

Where the right spelling is known, the data goes on as if it had been written; what cannot be mended is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from operator import getitem
from typing import Any

import yaml

from fuselab.schema.yaml_source import Key, YamlSource


def value_at(source: YamlSource, at: Key) -> Any:
    return reduce(getitem, at, source.data)


def rename_key(source: YamlSource, at: Key, new: str) -> None:
    """In place, at the same position: the order of variants has a meaning."""
    mapping: dict[str, Any] = value_at(source, at[:-1])
    entries = [(new if key == at[-1] else key, value) for key, value in mapping.items()]
    mapping.clear()
    mapping.update(entries)
    source.rename(at, (*at[:-1], new))


def replace_value(source: YamlSource, at: Key, meant: str | None, schema: Mapping[str, Any]) -> None:
    """By `meant`, as YAML; where that is unknown, by an example in a list, by nothing in a mapping."""
    around: Any = value_at(source, at[:-1])
    if meant is not None:
        around[at[-1]] = yaml.safe_load(meant)
    elif isinstance(around, list):
        around[at[-1]] = schema.get("examples", [""])[0]  # type: ignore[index]
    elif schema.get("type") == "object":
        around[at[-1]] = {}
    else:
        around.pop(at[-1], None)
