"""The right spelling of a wrong key or value, as far as it can be known."""

from __future__ import annotations

import re
import signal
import unicodedata
from collections.abc import Mapping
from contextlib import suppress
from difflib import get_close_matches
from typing import Any

from fuselab.schema import units
from fuselab.schema.diagnostics import flow, near, only_near
from fuselab.schema.reshaping import reshaped
from fuselab.schema.schemas import Violation, homes, types

_TRUTH = {"yes": "true", "on": "true", "true": "true", "no": "false", "off": "false", "false": "false"}


def key_like(key: str, schema: Mapping[str, Any]) -> str | None:
    """The nearest key that `schema`, which is one of names, takes."""
    match schema.get("title"):
        case "variable name":
            clean = re.sub(r"^(?=[0-9])", "_", re.sub(r"[^A-Za-z0-9_]+", "_", key).strip("_"))
        case "relative path":
            parts = re.sub(r"\{[a-z]+[0-9]*\}", "", key).split("/")
            clean = "/".join(part for part in parts if part not in ("", ".", ".."))
        case _:
            plain = unicodedata.normalize("NFKD", key.replace("ß", "ss"))
            bare = "".join(letter for letter in plain if not unicodedata.combining(letter))
            spaced = re.sub(r"[^A-Za-z0-9_.-]+", "-", bare)
            clean = re.sub(r"^[^A-Za-z0-9]+", "", spaced).replace("-vs-", "-").strip("-")[:64]
    return clean if re.search(schema.get("pattern", ""), clean) else None


def value_meant(error: Violation, text: str | None) -> str | None:
    """In the place of the value that is written as `text` (None if it is no scalar), as YAML."""
    schema = error.schema
    if error.instance is None and schema.get("type") == "object" and _may_be_empty(schema):
        return "{}"
    if (
        isinstance(error.instance, dict)
        and [*error.instance.values()] == [None]
        and "string" in types_of(error)
    ):
        return f"'{{{next(iter(error.instance))}}}'"  # a placeholder, which is a mapping without its quotes
    if schema.get("title") == "text" and error.validator == "type":
        return '""' if error.instance is None else f'"{flow(error.instance)}"' if text is None else None
    if text is None:
        return reshaped(error.instance, text, schema) if error.validator == "type" else None
    unit = schema.get("x-unit", schema.get("title", ""))
    if schema.get("title") == "swept key" and (kind := _kind_of(text)):
        return f"{kind}.{text}"
    match error.validator:
        case "enum" if text.isdigit() and (name := _signal(int(text))) in error.validator_value:
            return name
        case "maximum" if schema["maximum"] > 0:
            return str(error.validator_value)
        case "enum":
            return near(text, [str(choice) for choice in error.validator_value])
        case "type":
            nearest = units.nearest(unit, text) or _retyped(error.instance, text, schema)
            return nearest or reshaped(error.instance, text, schema)
    if schema.get("pattern") == "^auto$":
        if get_close_matches(text, ["auto"], cutoff=0.5):
            return "auto"
        return str(min(int(text), schema["maximum"])) if text.isdigit() and int(text) > 0 else None
    return units.nearest(unit, text)


def types_of(error: Violation) -> list[str]:
    return types(error.schema) if error.validator == "type" else []


def _kind_of(key: str) -> str | None:
    """The kind of load that has the key; None where none has, or more than one."""
    places = [place for place in homes("experiment").get(key, ()) if place.startswith(_LOAD)]
    kinds = {place.removeprefix(_LOAD).partition(".")[0] for place in places}
    return kinds.pop() if len(kinds) == 1 else None


_LOAD = "workloads.<name>."


def _signal(number: int) -> str | None:
    with suppress(ValueError):
        return signal.Signals(number).name.removeprefix("SIG")
    return None


def surely_meant(error: Violation, text: str | None, meant: str | None) -> bool:
    """Whether nothing else can be meant than `meant`: another way to write the same, or the one name that is near."""
    schema = error.schema
    if meant is None or tuple(error.absolute_path) == ("name",) or schema.get("title") == "list of values":
        return False
    if error.validator == "enum":
        return only_near(text or "", [str(choice) for choice in error.validator_value])
    if error.validator == "maximum" or (meant.isdigit() and meant != (text or "").strip()):
        return False  # another number is another meaning
    return error.instance is not None


def _retyped(value: Any, text: str, schema: Mapping[str, Any]) -> str | None:
    wanted = types(schema)
    if "boolean" in wanted and isinstance(value, str) and text.lower() in _TRUTH:
        return _TRUTH[text.lower()]
    if "integer" in wanted and isinstance(value, str) and text.strip().isdigit():
        return text.strip()
    # Where a number may stand too, text in quotes says nothing that the number does not.
    quoted = "string" in wanted and ("pattern" in schema or "integer" not in wanted)
    if quoted and value is not None and re.search(schema.get("pattern", ""), text):
        return f'"{text}"'
    return None


def _may_be_empty(schema: Mapping[str, Any]) -> bool:
    needs = ("required", "oneOf", "minProperties", "x-not-empty")
    return not any(schema.get(key) for key in needs)
