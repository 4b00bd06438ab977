"""Holds a file's data against its JSON Schema, and mends the data for the checks that follow.

Each fault is said in the words of the schema (`title`, `x-allowed`, `examples`). Where the nearest right
spelling is known, the data goes on as if it had been written; what cannot be mended is left out. So the later
checks can speak of their own faults at the same time, and of no consequences.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from functools import reduce
from operator import getitem
from typing import Any

from fuselab.schema import units
from fuselab.schema.diagnostics import Diagnostics, flow, near
from fuselab.schema.schemas import Violation, homes, resolve, violations
from fuselab.schema.yaml_source import Key

_TYPES = {
    "object": "a mapping",
    "array": "a list",
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
}
_TRUTH = {"yes": True, "on": True, "true": True, "no": False, "off": False, "false": False}
_MOST_FAULTS = 100
_DEPTH = 6
"""How deep misspelt keys may be nested in misspelt keys."""


def check_schema(diagnostics: Diagnostics, name: str) -> dict[str, Any]:
    """Add every fault to `diagnostics`; return the data, mended. `name` is one of `schemas.NAMES`."""
    data = diagnostics.source.data
    if not diagnostics.source.texts and not data:
        diagnostics.add((), "the file is empty: `fuselab new` writes an experiment to begin with")
        return {}
    if not isinstance(data, dict):
        diagnostics.add((), "a file is a mapping: 'name: ...' and other keys, each with its value")
        return {}
    for _ in range(_DEPTH):
        unknown = [v for v in violations(name, data) if v.rule == "additionalProperties"]
        for broken in unknown:
            _unknown_keys(diagnostics, name, broken)
            _stop_at_many(diagnostics)
        if not unknown:
            break
    for _ in range(_DEPTH):  # what is put in place of a wrong value may itself break a rule
        broken_rules = violations(name, data)
        for broken in broken_rules:
            _CASES.get(broken.rule, _wrong_value)(diagnostics, broken)
            _stop_at_many(diagnostics)
        if not broken_rules:
            break
    return data


def _stop_at_many(diagnostics: Diagnostics) -> None:
    """Nobody mends more at once, and each is looked for in all that is known."""
    if len(diagnostics.problems()) > _MOST_FAULTS:
        diagnostics.raise_if_any()


def _is_place(schema: Mapping[str, Any], key: str) -> bool:
    known = key in schema.get("properties", {})
    return known or any(re.search(pattern, key) for pattern in schema.get("patternProperties", {}))


def _unknown_keys(diagnostics: Diagnostics, name: str, broken: Violation) -> None:
    allowed = list(broken.schema["properties"])
    for key in [k for k in broken.value if not _is_place(broken.schema, k)]:
        at = (*broken.at, key)
        free = [k for k in allowed if k not in broken.value]
        close = near(key, free)
        home = next((h for h in homes(name).get(key, ()) if h != _shape(broken.at)), None)
        if close:
            hint = f"; did you mean '{close}'?"
        elif key in allowed or home is None:
            hint = ""
        else:
            hint = f" here: it belongs in '{home}'" if home else " here: it belongs at the top level"
        moved = None if close or key in allowed else _at_home(key, broken.value[key], home)
        diagnostics.add(
            at,
            f"unknown key '{key}'{hint}",
            of_key=True,
            allowed=sorted(allowed),
            suggestion=close,
            corrected=moved,
        )
        if close:
            _rename(broken.value, key, close)
            diagnostics.source.rename(at, (*broken.at, close))
        else:
            del broken.value[key]


def _at_home(key: str, value: Any, home: str | None) -> str | None:
    """The key where it belongs, if that is one place: `compare:` and, below it, `threshold: 5%`."""
    if home is None or "<" in home:
        return None
    steps = [*home.split("."), f"{key}: {flow(value)}"] if home else [f"{key}: {flow(value)}"]
    return "\n".join(
        f"{'  ' * depth}{step}" + (":" if ": " not in step else "") for depth, step in enumerate(steps)
    )


def _shape(at: Key) -> str:
    return ".".join(map(str, at))


def _rename(mapping: dict[str, Any], old: str, new: str) -> None:
    """In place, at the same position: the order of variants has a meaning."""
    entries = [(new if key == old else key, value) for key, value in mapping.items()]
    mapping.clear()
    mapping.update(entries)


def _missing(diagnostics: Diagnostics, broken: Violation) -> None:
    for key in broken.wanted:
        if key not in broken.value:
            at = broken.at
            example = _example(broken.schema.get("properties", {}).get(key, {}))
            where = f" in '{_shape(at)}'" if at else ""
            message = f"the key '{key}' is missing{where}"
            diagnostics.add((*at, key), message, corrected=f"{key}: {example}", of_key=True)


def _one_of(diagnostics: Diagnostics, broken: Violation) -> None:
    names = [branch["required"][0] for branch in broken.wanted]
    there = [name for name in names if name in broken.value]
    at = broken.at
    where = f"'{_shape(at)}'" if at else "the file"
    if there:
        words = " and ".join(f"'{name}'" for name in there)
        diagnostics.add(
            (*at, there[-1]), f"{words} exclude each other: keep one of them", of_key=True, allowed=names
        )
        for name in there[1:]:
            del broken.value[name]
    elif not any(diagnostics.broken((*at, name)) for name in names):
        example = f"{names[0]}: {_example(broken.schema['properties'][names[0]])}"
        corrected = example if not at else f"{at[-1]}:\n  {example}"
        diagnostics.add(at, f"{where} needs one of {', '.join(names)}", of_key=True, corrected=corrected)


def _bad_name(diagnostics: Diagnostics, broken: Violation) -> None:
    """A key that may be chosen freely, but not like this."""
    key = str(broken.value)
    at = (*broken.at, key)
    message = f"'{key}' is not a {broken.schema.get('title', 'name')}: {broken.schema.get('x-allowed', '')}"
    diagnostics.add(at, message, of_key=True, suggestion=_clean(key, broken.schema))


def _clean(key: str, schema: Mapping[str, Any]) -> str | None:
    """The nearest key that the schema takes."""
    match schema.get("title"):
        case "variable name":
            clean = re.sub(r"^(?=[0-9])", "_", re.sub(r"[^A-Za-z0-9_]+", "_", key).strip("_"))
        case "relative path":
            parts = re.sub(r"\{[a-z]+[0-9]*\}", "", key).split("/")
            clean = "/".join(part for part in parts if part not in ("", ".", ".."))
        case _:
            spaced = re.sub(r"[^A-Za-z0-9_.-]+", "-", key)
            clean = re.sub(r"^[^A-Za-z0-9]+", "", spaced).replace("-vs-", "-").strip("-")[:64]
    return clean if re.search(schema.get("pattern", ""), clean) else None


def _wrong_value(diagnostics: Diagnostics, broken: Violation) -> None:
    if broken.of_name:
        _bad_name(diagnostics, broken)
        return
    if _flat(diagnostics, broken):
        return
    at, schema = broken.at, broken.schema
    if broken.branches:  # anyOf: speak of the list of words among them
        broken = next((branch for branch in broken.branches if branch.rule == "enum"), broken)
    text = diagnostics.source.texts.get(at) if broken.value is not None else None
    shown = f"'{text}'" if text is not None else _kind(broken.value)
    choices = list(broken.wanted) if broken.rule == "enum" else []
    suggestion = _meant(broken, text)
    title, allowed = schema.get("title"), schema.get("x-allowed")
    if broken.rule == "type" and allowed is None:
        message = f"{shown} cannot stand here: '{at[-1]}' is {_type_words(schema)}"
    elif title is None:
        message = (
            f"{shown} cannot stand here: {broken.rule} {broken.wanted}"
            if not choices
            else f"{shown} is not allowed here"
        )
    else:
        article = "an" if title[0] in "aeiou" else "a"
        message = f"{shown} is not {article} {title}" + (f": {allowed}" if allowed else "")
    if suggestion and choices:
        message += f"; did you mean '{suggestion}'?"
    corrected = None if suggestion else _corrected(at, schema)
    diagnostics.add(at, message, allowed=map(str, choices), suggestion=suggestion, corrected=corrected)
    _mend(diagnostics.source.data, at, suggestion, schema)


_LISTS_OF_LISTS = ("list of argument lists", "list of steps")
_LISTS = ("argument list", "step")
"""Titles of what is a list in a list: `prepare: [[mkdir, sub]]`."""


def _flat(diagnostics: Diagnostics, broken: Violation) -> bool:
    """Whether one command stands where a list of commands should: said once, of the whole list."""
    at = broken.at
    if broken.rule != "type" or broken.schema.get("title") not in _LISTS or not isinstance(at[-1], int):
        return False
    outer = at[:-1]
    if diagnostics.broken(outer):
        return True
    commands: Any = reduce(getitem, outer, diagnostics.source.data)
    if any(isinstance(word, dict | list) or word is None for word in commands) or " " in str(commands[0]):
        return False
    words = [diagnostics.source.texts.get((*outer, i), str(word)) for i, word in enumerate(commands)]
    message = f"one argument list stands here: '{outer[-1]}' is a list of them, each in brackets of its own"
    diagnostics.add(outer, message, suggestion=flow([words]))
    commands[:] = [list(words)]
    return True


def _kind(value: Any) -> str:
    if isinstance(value, dict | list):
        noun, item = ("a mapping", "key") if isinstance(value, dict) else ("a list", "item")
        return f"{noun} of {len(value)} {item}{'' if len(value) == 1 else 's'}"
    return "nothing" if value is None else repr(value)


def _type_words(schema: Mapping[str, Any]) -> str:
    types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return " or ".join(_TYPES[t] for t in types)


def _example(schema: Mapping[str, Any]) -> str:
    if not schema.get("examples") and not schema.get("$ref", "#").startswith("#"):
        schema = resolve(schema, "")[0]
    return flow(schema["examples"][0]) if schema.get("examples") else "..."


def _corrected(at: Key, schema: Mapping[str, Any]) -> str | None:
    if not schema.get("examples") or not at:
        return None
    return f"- {_example(schema)}" if isinstance(at[-1], int) else f"{at[-1]}: {_example(schema)}"


def _meant(broken: Violation, text: str | None) -> str | None:
    """The right spelling of a wrong value, as YAML; None where it cannot be known."""
    schema, value = broken.schema, broken.value
    if value is None and schema.get("type") == "object" and not schema.get("required"):
        return "{}"
    if text is None:
        return None
    if broken.rule == "maximum" and schema["maximum"] > 0:
        return str(broken.wanted)
    if broken.rule == "enum":
        return near(text, [str(choice) for choice in broken.wanted])
    if broken.rule == "type":
        types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        return units.nearest(schema.get("title", ""), text) or _retyped(types, text, value, schema)
    if schema.get("pattern") == "^auto$":
        close = get_close_matches(text, ["auto"], cutoff=0.5)
        return (
            "auto"
            if close
            else str(min(int(text), schema["maximum"]))
            if text.isdigit() and int(text) > 0
            else None
        )
    return units.nearest(schema.get("title", ""), text)


def _retyped(types: Iterable[str], text: str, value: Any, schema: Mapping[str, Any]) -> str | None:
    if "boolean" in types and isinstance(value, str) and text.lower() in _TRUTH:
        return "true" if _TRUTH[text.lower()] else "false"
    if "integer" in types and isinstance(value, str) and text.strip().isdigit():
        return text.strip()
    if "string" in types and value is not None and re.search(schema.get("pattern", ""), text):
        return f'"{text}"'
    if "array" in types and value is not None:
        try:
            words = shlex.split(str(text))
            return flow([words] if schema.get("title") in _LISTS_OF_LISTS else words)
        except ValueError:
            return None
    return None


def _mend(root: Any, at: Key, suggestion: str | None, schema: Mapping[str, Any]) -> None:
    """Put what was meant in its place; where that is unknown, an example in a list, nothing in a mapping."""
    import yaml

    data: Any = reduce(getitem, at[:-1], root)
    if suggestion is not None:
        data[at[-1]] = yaml.safe_load(suggestion)
    elif isinstance(data, list) and isinstance(at[-1], int):
        data[at[-1]] = schema.get("examples", [""])[0]
    elif schema.get("type") == "object":
        data[at[-1]] = {}
    else:
        data.pop(at[-1], None)


_CASES: dict[str, Callable[[Diagnostics, Violation], None]] = {"required": _missing, "oneOf": _one_of}
