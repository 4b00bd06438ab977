"""The JSON Schemas of fuselab's YAML files, and what is known of their keys."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

FOLDER = Path(__file__).parent
NAMES = ("experiment", "target", "service")
"""The schemas of whole files; the others are parts of them, by topic."""
Violation = Any
"""A `jsonschema.ValidationError`, whose types leave every field open."""
_SUFFIX = ".schema.json"
_LOADS: dict[str, Mapping[str, Any]] = {}


def add_loads(parts: Mapping[str, Mapping[str, Any]]) -> None:
    """Let a load have further keys: the name of each kind of load, and the schema of what stands below it.

    Those that stand in workload.schema.json, where editors find them, stay as they are.
    """
    _LOADS.update(parts)
    for made in (schema, _registry, validator, homes):
        made.cache_clear()


def parts() -> tuple[list[Path], str]:
    """What all schemas are made of: the files, and what loads of other packages add."""
    kinds = FOLDER.parent.glob(f"workloads/*/*{_SUFFIX}")
    return sorted((*FOLDER.glob(f"*{_SUFFIX}"), *kinds)), json.dumps(_LOADS, sort_keys=True)


@cache
def schema(name: str) -> Mapping[str, Any]:
    """One schema file: one of `NAMES`, or a part; a path without its suffix for one in another folder."""
    whole = dict(json.loads((FOLDER / f"{name}{_SUFFIX}").read_text(encoding="utf-8")))
    if name == "workload":
        for kind in [kind for kind in _LOADS if kind not in whole["properties"]]:
            whole["properties"][kind] = _LOADS[kind]
            whole["oneOf"].append({"required": [kind]})
            whole["x-allowed"] += f", {kind}"
    return whole


def _named(ref: str, file: str) -> tuple[str, str]:
    """(schema, pointer in it) of a `$ref` that stands in the schema `file`."""
    uri, _, pointer = ref.partition("#")
    if not uri:
        return file, pointer
    path = Path(os.path.normpath((FOLDER / f"{file}{_SUFFIX}").parent / unquote(urlsplit(uri).path)))
    stem = path.name.removesuffix(_SUFFIX)
    return stem if path.parent == FOLDER else str(path.with_name(stem)), pointer


@cache
def _registry() -> Any:
    """All schemas, read beforehand: what a registry finds while it validates, it forgets before the next reference."""
    from referencing import Registry, Resource
    from referencing.jsonschema import DRAFT202012

    def retrieve(uri: str) -> Resource[Any]:
        return DRAFT202012.create_resource(dict(schema(_named(uri, "")[0])))

    files, _ = parts()
    registry: Registry[Any] = Registry(retrieve=retrieve)  # type: ignore[call-arg]
    return registry.with_resources((uri, retrieve(uri)) for uri in (file.as_uri() for file in files)).crawl()


@cache
def validator(name: str) -> Any:
    """A `jsonschema` validator of one schema and the parts it refers to."""
    from jsonschema import Draft202012Validator

    whole = {"$ref": (FOLDER / f"{name}{_SUFFIX}").as_uri()}  # what it refers to is found beside it
    return Draft202012Validator(
        whole, registry=_registry(), format_checker=Draft202012Validator.FORMAT_CHECKER
    )


def resolve(part: Mapping[str, Any], file: str) -> tuple[Mapping[str, Any], str]:
    """Follow `$ref`: what it names with what stands beside it, and the schema file that this is in."""
    while "$ref" in part:
        file, pointer = _named(part["$ref"], file)
        named: Any = schema(file)
        for step in pointer.strip("/").split("/"):
            named = named[step] if step else named
        part = {**named, **{key: value for key, value in part.items() if key != "$ref"}}
    return part, file


def properties(part: Mapping[str, Any], file: str) -> Iterator[tuple[str, Mapping[str, Any], str]]:
    """Keys of an object, resolved: (name, schema, file it is in). `<name>` is a key of one's own choice."""
    for name, inner in part.get("properties", {}).items():
        yield name, *resolve(inner, file)
    free = part.get("additionalProperties")
    if isinstance(free, Mapping):
        yield "<name>", *resolve(free, file)


_TYPES = {
    "object": "a mapping",
    "array": "a list",
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
}


def types(part: Mapping[str, Any]) -> list[str]:
    said = part["type"]
    return said if isinstance(said, list) else [said]


def type_words(part: Mapping[str, Any]) -> str:
    """`text or a whole number`."""
    return " or ".join(_TYPES[name] for name in types(part))


@cache
def homes(name: str) -> Mapping[str, tuple[str, ...]]:
    """Where keys belong: key -> dotted places of the mappings that know it, '' for the top level."""
    places: dict[str, dict[str, None]] = {}
    for key, place in _walk(*resolve(schema(name), name), (), 0):
        if key != "<name>":
            places.setdefault(key, {})[place] = None
    return {key: tuple(known) for key, known in places.items()}


def _walk(part: Mapping[str, Any], file: str, at: tuple[str, ...], depth: int) -> Iterator[tuple[str, str]]:
    if depth > 5:
        return
    for key, inner, inner_file in properties(part, file):
        yield key, ".".join(at)
        yield from _walk(inner, inner_file, (*at, key), depth + 1)


def bundled(name: str) -> dict[str, Any]:
    """One schema with all that it refers to inside it, for tools that read a single file."""
    parts: dict[str, Any] = {}
    whole = dict(_inlined(schema(name), "", parts))
    whole["$defs"] = {**whole.get("$defs", {}), **parts}
    return whole


def _inlined(node: Any, file: str, parts: dict[str, Any]) -> Any:
    """`node` of the schema `file` ("" for the outermost) with references into `$defs`, kept in `parts`."""
    if isinstance(node, list):
        return [_inlined(inner, file, parts) for inner in node]
    if not isinstance(node, Mapping):
        return node
    copy = {key: _inlined(value, file, parts) for key, value in node.items() if key != "$ref"}
    if isinstance(node.get("$ref"), str):
        used, pointer = _named(node["$ref"], file)
        name = Path(used).name
        copy["$ref"] = f"#/$defs/{name}{pointer}" if used else f"#{pointer}"
        if used and name not in parts:
            parts[name] = {}
            parts[name] = _inlined(schema(used), used, parts)
    return copy
