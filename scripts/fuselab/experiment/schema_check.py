"""Holds a file's data against its JSON Schema, and mends the data for the checks that follow.

Each fault is said in the words of the schema (`title`, `x-allowed`, `examples`). Where the nearest right spelling is
known, the data goes on as if it had been written; what cannot be mended is left out. So the later checks can
speak of their own faults at the same time, and of no consequences.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import Any

from jsonschema.exceptions import ValidationError

from fuselab.experiment import units
from fuselab.experiment.findings import Findings, flow, near
from fuselab.experiment.yaml_source import Key
from fuselab.schemas import homes, validator

_TYPES = {
    "object": "a mapping",
    "array": "a list",
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
}
_TRUTH = {"yes": True, "on": True, "true": True, "no": False, "off": False, "false": False}
_DEPTH = 6
"""How deep misspelt keys may be nested in misspelt keys."""


def check_schema(findings: Findings, name: str) -> dict[str, Any]:
    """Add every fault to `findings`; return the data, mended. `name` is `experiment`, `target` or `service`."""
    data = findings.source.data
    if not isinstance(data, dict):
        findings.add((), "a file is a mapping: 'name: ...' and other keys, each with its value")
        return {}
    for _ in range(_DEPTH):
        unknown = [e for e in validator(name).iter_errors(data) if e.validator == "additionalProperties"]
        for error in unknown:
            _unknown_keys(findings, name, error)
        if not unknown:
            break
    for error in list(validator(name).iter_errors(data)):
        _CASES.get(str(error.validator), _wrong_value)(findings, error)
    return data


def _at(error: ValidationError) -> Key:
    return tuple(error.absolute_path)


def _is_place(schema: dict[str, Any], key: str) -> bool:
    known = key in schema.get("properties", {})
    return known or any(re.search(pattern, key) for pattern in schema.get("patternProperties", {}))


def _unknown_keys(findings: Findings, name: str, error: ValidationError) -> None:
    allowed = list(error.schema["properties"])
    for key in [k for k in error.instance if not _is_place(error.schema, k)]:
        at = (*_at(error), key)
        free = [k for k in allowed if k not in error.instance]
        close = near(key, free)
        home = next((h for h in homes(name).get(key, ()) if h != _shape(_at(error))), None)
        if close:
            hint = f"; did you mean '{close}'?"
        elif key in allowed or home is None:
            hint = ""
        else:
            hint = f" here: it belongs in '{home}'" if home else " here: it belongs at the top level"
        findings.add(at, f"unknown key '{key}'{hint}", of_key=True, allowed=sorted(allowed), suggestion=close)
        if close:
            _rename(error.instance, key, close)
            findings.source.rename(at, (*_at(error), close))
        else:
            del error.instance[key]


def _shape(at: Key) -> str:
    return ".".join(map(str, at))


def _rename(mapping: dict[str, Any], old: str, new: str) -> None:
    """In place, at the same position: the order of variants has a meaning."""
    entries = [(new if key == old else key, value) for key, value in mapping.items()]
    mapping.clear()
    mapping.update(entries)


def _missing(findings: Findings, error: ValidationError) -> None:
    for key in error.validator_value:
        if key not in error.instance:
            at = _at(error)
            example = _example(error.schema.get("properties", {}).get(key, {}))
            where = f" in '{_shape(at)}'" if at else ""
            message = f"the key '{key}' is missing{where}"
            findings.add((*at, key), message, corrected=f"{key}: {example}", of_key=True)


def _one_of(findings: Findings, error: ValidationError) -> None:
    names = [branch["required"][0] for branch in error.validator_value]
    there = [name for name in names if name in error.instance]
    at = _at(error)
    where = f"'{_shape(at)}'" if at else "the file"
    if there:
        words = " and ".join(f"'{name}'" for name in there)
        findings.add((*at, there[-1]), f"{words} exclude each other: keep one of them", of_key=True, allowed=names)
        for name in there[1:]:
            del error.instance[name]
    elif not any(findings.broken((*at, name)) for name in names):
        example = f"{names[0]}: {_example(error.schema['properties'][names[0]])}"
        corrected = example if not at else f"{at[-1]}:\n  {example}"
        findings.add(at, f"{where} needs one of {', '.join(names)}", of_key=True, corrected=corrected)


def _bad_name(findings: Findings, error: ValidationError) -> None:
    """A key that may be chosen freely, but not like this."""
    key = str(error.instance)
    clean = re.sub(r"^[^A-Za-z0-9]+", "", re.sub(r"[^A-Za-z0-9_.-]+", "-", key)).replace("-vs-", "-").strip("-")
    at = (*_at(error), key)
    message = f"'{key}' is not a {error.schema.get('title', 'name')}: {error.schema.get('x-allowed', '')}"
    findings.add(at, message, of_key=True, suggestion=clean[:64] or None)


def _wrong_value(findings: Findings, error: ValidationError) -> None:
    if "propertyNames" in error.schema_path:
        _bad_name(findings, error)
        return
    if error.context:  # anyOf: speak of the list of words among the branches
        error = next((e for e in error.context if e.validator == "enum"), error)
    at, schema = _at(error), error.schema
    text = findings.source.texts.get(at)
    shown = f"'{text}'" if text is not None else _kind(error.instance)
    choices = list(error.validator_value) if error.validator == "enum" else []
    suggestion = _meant(error, text)
    title, allowed = schema.get("title"), schema.get("x-allowed")
    if error.validator == "type" and allowed is None:
        message = f"{shown} cannot stand here: '{at[-1]}' is {_type_words(schema)}"
    elif title is None:
        message = f"{shown} cannot stand here: {error.message}" if not choices else f"{shown} is not allowed here"
    else:
        article = "an" if title[0] in "aeiou" else "a"
        message = f"{shown} is not {article} {title}" + (f": {allowed}" if allowed else "")
    if suggestion and choices:
        message += f"; did you mean '{suggestion}'?"
    corrected = None if suggestion else _corrected(at, schema)
    findings.add(at, message, allowed=map(str, choices), suggestion=suggestion, corrected=corrected)
    _mend(findings.source.data, at, suggestion if text is not None else None, schema)


def _kind(value: Any) -> str:
    words: dict[type, str] = {dict: "a mapping", list: "a list", type(None): "nothing"}
    if value in ({}, []):
        return f"{words[type(value)]} with nothing in it"
    return words.get(type(value), repr(value))


def _type_words(schema: dict[str, Any]) -> str:
    types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return " or ".join(_TYPES[t] for t in types)


def _example(schema: dict[str, Any]) -> str:
    return flow(schema["examples"][0]) if schema.get("examples") else "..."


def _corrected(at: Key, schema: dict[str, Any]) -> str | None:
    if not schema.get("examples") or not at:
        return None
    return f"- {_example(schema)}" if isinstance(at[-1], int) else f"{at[-1]}: {_example(schema)}"


def _meant(error: ValidationError, text: str | None) -> str | None:
    """The right spelling of a wrong value, as YAML; None where it cannot be known."""
    schema, value = error.schema, error.instance
    if text is None:
        return None
    if error.validator == "enum":
        return near(text, [str(choice) for choice in error.validator_value])
    if error.validator == "type":
        types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        return _retyped(types, text, value) or units.nearest(schema.get("title", ""), text)
    if schema.get("pattern") == "^auto$":
        close = get_close_matches(text, ["auto"], cutoff=0.5)
        return "auto" if close else text if text.isdigit() and int(text) > 0 else None
    return units.nearest(schema.get("title", ""), text)


def _retyped(types: Iterable[str], text: str, value: Any) -> str | None:
    if "boolean" in types and isinstance(value, str) and text.lower() in _TRUTH:
        return "true" if _TRUTH[text.lower()] else "false"
    if "integer" in types and isinstance(value, str) and text.strip().isdigit():
        return text.strip()
    if "string" in types and value is not None:
        return f'"{text}"'
    if "array" in types and value is not None:
        try:
            return flow(shlex.split(str(text)))
        except ValueError:
            return None
    return None


def _mend(data: Any, at: Key, suggestion: str | None, schema: dict[str, Any]) -> None:
    """Put what was meant in place of what is wrong; without it, an example in a list, nothing in a mapping."""
    import yaml

    for key in at[:-1]:
        data = data[key]
    if suggestion is not None:
        data[at[-1]] = yaml.safe_load(suggestion)
    elif isinstance(data, list):
        data[at[-1]] = schema.get("examples", [""])[0]
    elif schema.get("type") == "object":
        data[at[-1]] = {}
    else:
        data.pop(at[-1], None)


_CASES: dict[str, Callable[[Findings, ValidationError], None]] = {"required": _missing, "oneOf": _one_of}
