"""The right shape of a value whose parts are right: a list by name, `a=b` as a pair, one item without its list."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from typing import Any

from fuselab.schema.diagnostics import flow, near
from fuselab.schema.schemas import resolve, types

_OF_PAIRS = ("mount options", "environment", "fio options", "fio load")
_NO_ITEM = ("all", "any", "none", "no", "false", "off")
"""What is said of a list as a whole, and is no item of it."""
LISTS_OF_LISTS = ("list of argument lists", "list of steps")


def reshaped(value: Any, text: str | None, schema: Mapping[str, Any]) -> str | None:
    """`value`, written as `text` if it is a scalar, in the shape that `schema` asks for, as YAML; None if unclear."""
    wanted = types(schema)
    if value is None:
        return None
    if "object" in wanted:
        found = _mapping(value, text, schema)
        if found is not None or "array" not in wanted:
            return None if found is None else flow(found)
    if "string" in wanted and text is None:
        one = value[0] if isinstance(value, list) and len(value) == 1 else None
        return one if isinstance(one, str) and re.search(schema.get("pattern", ""), one) else None
    if "array" in wanted:
        items = _items(value, text, schema)
        return None if items is None else flow(items)
    return None


def _mapping(value: Any, text: str | None, schema: Mapping[str, Any]) -> dict[str, Any] | None:
    title, items = schema.get("title"), value if isinstance(value, list) else None
    if (
        items
        and len(items) == 1
        and isinstance(items[0], dict)
        and {*items[0]} <= {*schema.get("properties", ())}
    ):
        return items[0]
    if short := schema.get("x-short"):
        words = items if items is not None else _words(text)
        return {short: words} if words and not any(isinstance(word, dict | list) for word in words) else None
    if title == "contrast":
        names = items if items is not None else re.split(r"\s+(?:vs\.?|against|to|->)\s+", text or "")
        return dict(zip(("baseline", "variant"), names, strict=True)) if len(names) == 2 else None
    if title in _OF_PAIRS:
        words = _words(text) if items is None else items
        return _pairs(words) if words else None
    if items and isinstance(schema.get("additionalProperties"), Mapping):
        return _by_name(items, may_be_empty=title == "variants")
    return None


def _pairs(words: list[Any]) -> dict[str, Any] | None:
    """`[A=1, --B=2]` and `[{A: 1}, {B: 2}]`; headings and comments of a job file are passed over."""
    found: dict[str, Any] = {}
    for word in words:
        if isinstance(word, dict) and len(word) == 1:
            found |= word
        elif isinstance(word, str) and (match := re.fullmatch(r"-{0,2}([A-Za-z_][\w-]*)=(.+)", word)):
            found[match[1]] = match[2]
        elif not (isinstance(word, str) and re.fullmatch(r"\[.*\]|[#;].*", word)):
            return None
    return found or None


def _by_name(items: list[Any], *, may_be_empty: bool) -> dict[str, Any] | None:
    found: dict[str, Any] = {}
    for item in items:
        if isinstance(item, dict) and isinstance(item.get("name"), str):
            found[item["name"]] = {key: inner for key, inner in item.items() if key != "name"}
        elif isinstance(item, dict) and len(item) == 1:
            found |= {key: inner or {} for key, inner in item.items()}
        elif isinstance(item, str) and may_be_empty:
            found[item] = {}
        else:
            return None
    return found


def _items(value: Any, text: str | None, schema: Mapping[str, Any]) -> list[Any] | None:
    inner = schema.get("items", {})
    if "$ref" in inner and not inner["$ref"].startswith("#"):
        inner = resolve(inner, "")[0]
    if "properties" in inner:
        return [value] if isinstance(value, dict) and {*inner.get("required", ())} <= {*value} else None
    if isinstance(value, dict):
        of_names = all(each in (True, None, {}) for each in value.values()) and "string" in inner.get(
            "type", ""
        )
        return list(value) if of_names and value else None
    words = _words(text)
    if words is None or any(isinstance(item, dict) for item in _first_example(schema)):
        return None
    if schema.get("title") in ("argument list", "list of compiler flags"):
        return words
    if any(word.startswith("--") for word in words):
        return words  # of a program, with what it may hold
    if len(words) == 1 and words[0].lower() in _NO_ITEM:
        return None if schema.get("minItems") or words[0].lower() == "all" else []
    if schema.get("title") in LISTS_OF_LISTS:
        return [words]
    if schema.get("title") == "list of values" and (
        bounds := re.fullmatch(r"(\d+)(?:-|\.\.)(\d+)", text or "")
    ):
        return _doubled(int(bounds[1]), int(bounds[2]), schema["maxItems"])
    words = [each for word in words for each in re.sub(r"^[-*•–—]", "", word).split(",") if each]
    if choices := inner.get("enum"):
        meant = [near(word, choices) for word in words]
        return None if None in meant else meant
    if inner.get("type") == "integer":
        return _numbers(words)
    return words


def _numbers(words: list[str]) -> list[int] | None:
    """`0-2 4` -> 0, 1, 2, 4."""
    found: list[int] = []
    for word in words:
        match = re.fullmatch(r"(\d{1,4})(?:-(\d{1,4}))?", word)
        if match is None or int(match[1]) > int(match[2] or match[1]):
            return None
        found += range(int(match[1]), int(match[2] or match[1]) + 1)
    return found


def _first_example(schema: Mapping[str, Any]) -> list[Any]:
    examples = schema.get("examples") or [[]]
    return examples[0] if isinstance(examples[0], list) else []


def _doubled(low: int, high: int, most: int) -> list[int] | None:
    """Each twice the one before, from `low` to `high`."""
    values = [low]
    while 0 < values[-1] < high and len(values) < most:
        values.append(min(2 * values[-1], high))
    return values if values[-1] == high and len(values) > 1 else None


def _words(text: str | None) -> list[str] | None:
    try:
        return shlex.split(text) if text is not None else None
    except ValueError:
        return None
