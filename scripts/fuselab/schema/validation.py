"""Holds a file's data against its JSON Schema, and says each fault in the schema's words (`title`, `x-allowed`).

What is wrong is mended for the checks that follow, which so can speak of their own faults at the same time, and of no
consequences.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from fuselab.schema.diagnostics import Diagnostics, flow, hint, near, only_near
from fuselab.schema.meant import key_like, surely_meant, value_meant
from fuselab.schema.mending import rename_key, replace_value, value_at
from fuselab.schema.schemas import Violation, homes, resolve, type_words, types, validator
from fuselab.schema.units import amounts
from fuselab.schema.yaml_source import Key

_MOST_FAULTS = 100
"""Nobody mends more at once, and each is looked for in all that is known."""
_ROUNDS = 12
"""Misspelt keys may stand inside misspelt keys, and what is put in place of a wrong value may itself break a rule."""


def check_schema(diagnostics: Diagnostics, name: str) -> dict[str, Any]:
    """Add every fault to `diagnostics`; return the data, mended. `name` is one of `schemas.NAMES`."""
    data = diagnostics.source.data
    if not diagnostics.source.texts and not data:
        diagnostics.add((), "the file is empty: `fuselab new` writes an experiment to begin with")
        return {}
    if not isinstance(data, dict):
        diagnostics.add((), "a file is a mapping: 'name: ...' and other keys, each with its value")
        return {}
    for _ in range(_ROUNDS):
        errors = list(validator(name).iter_errors(data))
        unknown = [error for error in errors if error.validator == "additionalProperties"]
        for error in unknown:
            _unknown_keys(diagnostics, name, error)
            _stop_at_many(diagnostics)
        # What is said of one key is nearer than what holds for all.
        errors.sort(key=lambda error: "patternProperties" in error.absolute_schema_path)
        for error in () if unknown else errors:
            _CASES.get(error.validator, _wrong_value)(diagnostics, error)
            _stop_at_many(diagnostics)
        if not errors:
            break
    return data


def _stop_at_many(diagnostics: Diagnostics) -> None:
    if len(diagnostics.problems()) > _MOST_FAULTS:
        diagnostics.raise_if_any()


def _unknown_keys(diagnostics: Diagnostics, name: str, error: Violation) -> None:
    mapping, schema = error.instance, error.schema
    _indent(diagnostics, name, error)
    _put_below(diagnostics, name, error)
    allowed, patterns = list(schema["properties"]), schema.get("patternProperties", ())
    for key in [k for k in mapping if k not in allowed and not any(re.search(p, k) for p in patterns)]:
        at = (*error.absolute_path, key)
        why = schema.get("x-no-keys", {}).get(key)
        free = [k for k in allowed if k not in mapping]
        called = _called(key, schema, free)
        close = None if why else called or near(key, free)
        place = ".".join(map(str, error.absolute_path))
        home = None if called or why else _home(key, name, place)
        if home is not None and close and not _one_word(key, close):
            close = None  # it is a word of its own, elsewhere
        home = None if close else home
        message = f"unknown key '{key}'{_unseen(key)}{hint(close)}{f': {why}' if why else ''}"
        if home is not None:
            message += f" here: it belongs in '{home}'" if home else " here: it belongs at the top level"
        moved = _at_home(key, mapping[key], home)
        sure = close is not None and called is None and only_near(key, free)
        diagnostics.add(
            at, message, of_key=True, allowed=sorted(allowed), suggestion=close, corrected=moved, sure=sure
        )
        if close:
            rename_key(diagnostics.source, at, close)
        else:
            del mapping[key]


def _one_word(key: str, close: str) -> bool:
    """Whether both are one word but for capitals, what joins its parts, and a plural."""
    one, other = (word.lower().replace("_", "-").removesuffix("s") for word in (key, close))
    return one == other


def _home(key: str, name: str, place: str) -> str | None:
    """Where the key belongs, a load before a variant, which has keys of a load for what it changes of them.

    What each job of a load has may be said of a single one, which is the load.
    """
    known = [home for home in homes(name).get(key, ()) if home != place]
    found = min(known, key=lambda home: home.startswith(("variants.", "matrix.")), default=None)
    return found and re.sub(r"\.(jobs\.<name>|global)$", "", found)


def _called(key: str, schema: Mapping[str, Any], free: Sequence[str]) -> str | None:
    """What others call `key` and is called otherwise here (`x-called`), if it may stand here."""
    return next((name for name in free if key.lower() in schema.get("x-called", {}).get(name, ())), None)


def _unseen(key: str) -> str:
    """Says the letters of it that cannot be seen."""
    found = dict.fromkeys(f"U+{ord(letter):04X}" for letter in key if unicodedata.category(letter) == "Cf")
    return f" with {' and '.join(found)} in it, which cannot be seen" if found else ""


def _indent(diagnostics: Diagnostics, name: str, error: Violation) -> None:
    """Keys that stand beside the one they belong to, which is empty, are put below it, and said once."""
    mapping, known = error.instance, error.schema["properties"]
    at, owner, strays = tuple(error.absolute_path), "", dict[str, list[str]]()
    for key, value in mapping.items():
        if key in known:
            part = resolve(known[key], name)[0] if value is None else {}
            owner = key if isinstance(part.get("additionalProperties"), Mapping) else ""
        elif owner and not get_close_matches(key, list(known), n=1, cutoff=0.8):
            strays.setdefault(owner, []).append(key)
    for owner, keys in strays.items():
        lines = diagnostics.source.lines_of((*at, owner), [(*at, key) for key in keys])
        verb = "stands" if len(keys) == 1 else "stand"
        message = f"{_named(keys)} {verb} beside '{owner}', which is empty: what belongs to it is indented"
        corrected = "\n".join([lines[0], *(f"  {line}" for line in lines[1:])])
        diagnostics.add((*at, keys[0]), message, of_key=True, corrected=corrected)
        mapping[owner] = {key: mapping.pop(key) for key in keys}
        for key in keys:
            diagnostics.source.rename((*at, key), (*at, owner, key))


def _put_below(diagnostics: Diagnostics, name: str, error: Violation) -> None:
    """Keys whose place is known to be one level below (`x-unknown`) are put there, and said once."""
    mapping, schema = error.instance, error.schema
    below, at = schema.get("x-unknown"), tuple(error.absolute_path)
    if below is None or not isinstance(mapping.setdefault(below, {}), dict):
        return
    here = schema["properties"]
    strays = [
        key
        for key in mapping
        if key not in here
        and key not in schema.get("x-no-keys", ())
        and not (_called(key, schema, list(here)) or near(key, list(here)))
        and (schema.get("x-unknown-first") or not {"", *here} & {*homes(name).get(key, ())})
    ]
    if strays:
        corrected = _at_home(below, {key: mapping[key] for key in strays}, "")
        keys = "key" if len(strays) == 1 else "keys"
        message = f"unknown {keys} {_named(strays)} here: {schema['x-unknown-are']} belong in '{below}'"
        diagnostics.add((*at, strays[0]), message, of_key=True, allowed=sorted(here), corrected=corrected)
    for key in strays:
        mapping[below][key] = mapping.pop(key)
        diagnostics.source.rename((*at, key), (*at, below, key))
    if not mapping[below]:
        del mapping[below]


def _named(names: Sequence[str]) -> str:
    """`'a', 'b' and 'c'`."""
    *first, last = (f"'{name}'" for name in names)
    return f"{', '.join(first)} and {last}" if first else last


def _at_home(key: str, value: Any, home: str | None) -> str | None:
    """The key where it belongs, if that is one place: `compare:` and, below it, `threshold: 5%`."""
    if home is None or "<" in home:
        return None
    steps = [*(f"{step}:" for step in home.split(".") if step), f"{key}: {flow(value)}"]
    return "\n".join(f"{'  ' * depth}{step}" for depth, step in enumerate(steps))


def _missing(diagnostics: Diagnostics, error: Violation) -> None:
    at = tuple(error.absolute_path)
    where = f" in '{'.'.join(map(str, at))}'" if at else ""
    for key in error.validator_value:
        if key not in error.instance:
            whole = error.schema.get("examples", [{}])[0]
            part = {"examples": [whole[key]]} if isinstance(whole, dict) and key in whole else {}
            example = _example(error.schema.get("properties", {}).get(key, {}))
            example = _example(part) if example == "..." else example
            corrected = f"{key}: {diagnostics.source.name if (*at, key) == ('name',) else example}"
            diagnostics.add(
                (*at, key), f"the key '{key}' is missing{where}", corrected=corrected, of_key=True
            )


def _one_of(diagnostics: Diagnostics, error: Violation) -> None:
    mapping = error.instance
    if not isinstance(mapping, dict):
        return  # which is a fault of its own
    names = [branch["required"][0] for branch in error.validator_value]
    there = [name for name in names if name in mapping]
    at = tuple(error.absolute_path)
    if there:
        words = " and ".join(f"'{name}'" for name in there)
        message = f"{words} exclude each other: keep one of them"
        diagnostics.add((*at, there[-1]), message, of_key=True, allowed=names)
        for name in there[1:]:
            del mapping[name]
    elif not any(diagnostics.broken((*at, name)) for name in names):
        example = f"{names[0]}: {_example(error.schema['properties'][names[0]])}"
        corrected = example if not at else f"{at[-1]}:\n  {example}"
        if at and isinstance(at[-1], int):
            corrected = f"- {example}"
        where = f"'{'.'.join(map(str, at))}'" if at else "the file"
        message = f"{where} needs one of {', '.join(names)}"
        diagnostics.add(at, message, of_key=True, corrected=corrected)


def _wrong_value(diagnostics: Diagnostics, error: Violation) -> None:
    if "propertyNames" in error.schema_path:
        _bad_name(diagnostics, error)
        return
    if _flat(diagnostics, error) or _nested(diagnostics, error) or _several(diagnostics, error):
        return
    at, schema = tuple(error.absolute_path), error.schema
    if error.validator in ("minProperties", "minItems") and diagnostics.broken_below(at):
        replace_value(diagnostics.source, at, None, schema)
        return  # what was in it was wrong, and is gone
    # anyOf: speak of the list of words among its alternatives
    error = next((branch for branch in error.context if branch.validator == "enum"), error)
    text = diagnostics.source.texts.get(at) if error.instance is not None else None
    if text in (instead := schema.get("x-instead", {})):  # there is such a thing, and it is said elsewhere
        diagnostics.add(at, f"'{text}' {instead[text]}")
        replace_value(diagnostics.source, at, None, schema)
        return
    choices = list(error.validator_value) if error.validator == "enum" else _choices(schema)
    meant = diagnostics.source.name if at == ("name",) else value_meant(error, text)
    message = _not_this(text, error, at, schema) + (hint(meant) if choices else "")
    corrected = None if meant else _corrected(diagnostics.source.as_written(at), schema)
    sure = surely_meant(error, text, meant)
    diagnostics.add(at, message, allowed=map(str, choices), suggestion=meant, corrected=corrected, sure=sure)
    replace_value(diagnostics.source, at, meant, schema)


def _choices(schema: Mapping[str, Any]) -> list[str]:
    """The words of a value that may also be something else."""
    return next((branch["enum"] for branch in schema.get("anyOf", ()) if "enum" in branch), [])


def _not_this(text: str | None, error: Violation, at: Key, schema: Mapping[str, Any]) -> str:
    shown = f"'{text}'" if text is not None and "\n" not in text else _kind(error.instance)
    title, allowed = schema.get("title"), schema.get("x-allowed")
    if error.validator == "type" and allowed is None:
        what = "each item" if isinstance(at[-1], int) else f"'{at[-1]}'"
        return f"{shown} cannot stand here: {what} is {type_words(schema)}"
    if title is not None:
        more = f": {allowed}" if allowed else ""
        head = title.partition(" of ")[0]
        if head.endswith("s") and not head.endswith(("ss", "is")):
            return f"{shown} stands where {title} belong{more}"
        article = "an" if title[0] in "aeiou" else "a"
        return f"{shown} is not {article} {title}{more}"
    if error.validator == "enum":
        return f"{shown} is not allowed here"
    return f"{shown} cannot stand here: {error.validator} {error.validator_value}"


def _bad_name(diagnostics: Diagnostics, error: Violation) -> None:
    """A key that may be chosen freely, but not like this."""
    key, schema = str(error.instance), error.schema
    message = f"'{key}' is not a {schema.get('title', 'name')}: {schema.get('x-allowed', '')}"
    at = (*error.absolute_path, key)
    diagnostics.add(at, message, of_key=True, suggestion=key_like(key, schema))


def _flat(diagnostics: Diagnostics, error: Violation) -> bool:
    """Whether one command stands where a list of commands should: said once, of the whole list."""
    *outer, last = error.absolute_path
    if error.validator != "type" or error.schema.get("title") not in _LISTS or not isinstance(last, int):
        return False
    at = tuple(outer)
    if diagnostics.broken(at):
        return True
    commands = value_at(diagnostics.source, at)
    if any(isinstance(word, dict | list) or word is None for word in commands) or " " in str(commands[0]):
        return False
    words = [diagnostics.source.texts.get((*at, i), str(word)) for i, word in enumerate(commands)]
    message = f"one argument list stands here: '{at[-1]}' is a list of them, each in brackets of its own"
    diagnostics.add(at, message, suggestion=flow([words]))
    commands[:] = [words]
    return True


def _nested(diagnostics: Diagnostics, error: Violation) -> bool:
    """Whether a list of words stands in a list of words: said once, of the whole list."""
    *outer, last = error.absolute_path
    at = tuple(outer)
    if error.validator != "type" or not isinstance(last, int) or not isinstance(at[-1], str):
        return False
    items = value_at(diagnostics.source, at)
    flat = [word for item in items for word in (item if isinstance(item, list) else [item])]
    if (
        "string" not in types(error.schema)
        or not isinstance(error.instance, list)
        or not all(isinstance(word, str) for word in flat)
    ):
        return False
    message = f"a list in a list: '{at[-1]}' is one list of words"
    diagnostics.add(at, message, corrected=f"{at[-1]}: {flow(flat)}")
    items[:] = flat
    return True


def _several(diagnostics: Diagnostics, error: Violation) -> bool:
    """Whether several values stand where a load has one: a sweep."""
    at, values = tuple(error.absolute_path), error.instance
    if (
        error.validator != "type"
        or at[:1] != ("workloads",)
        or at[2:3] not in (("fio",), ("metadata",))
        or not isinstance(values, list)
    ):
        return False
    words = [diagnostics.source.texts.get((*at, i), "") for i in range(len(values))]
    if len(values) < 2 or None in amounts(words) or "array" in types(error.schema):
        return False
    over = ".".join(map(str, at[2:]))
    message = f"'{at[-1]}' has one value: several, one after the other, are a sweep of the load '{at[1]}'"
    mend = f"{{over: {over}, values: [{', '.join(words)}]}}"
    diagnostics.add(at, message, corrected=f"sweep: {mend}")
    replace_value(diagnostics.source, at, flow(values[0]), error.schema)
    return True


_LISTS = ("argument list", "step")
"""Titles of what is a list in a list: `prepare: [[mkdir, sub]]`."""


def _kind(value: Any) -> str:
    if isinstance(value, dict | list):
        noun, item = ("a mapping", "key") if isinstance(value, dict) else ("a list", "item")
        return f"{noun} of {len(value)} {item}{'' if len(value) == 1 else 's'}"
    return (
        "nothing" if value is None else "a text of several lines" if isinstance(value, str) else repr(value)
    )


def _example(schema: Mapping[str, Any]) -> str:
    if not schema.get("examples") and not schema.get("$ref", "#").startswith("#"):
        schema = resolve(schema, "")[0]
    return flow(schema["examples"][0]) if schema.get("examples") else "..."


_TOO_GENERAL = ("fio option", "text")
"""Titles of what stands for anything: an example would say nothing of what was meant."""


def _corrected(at: Key, schema: Mapping[str, Any]) -> str | None:
    if not schema.get("examples") or not at or schema.get("title") in _TOO_GENERAL:
        return None
    return f"- {_example(schema)}" if isinstance(at[-1], int) else f"{at[-1]}: {_example(schema)}"


_CASES: dict[str, Callable[[Diagnostics, Violation], None]] = {"required": _missing, "oneOf": _one_of}
