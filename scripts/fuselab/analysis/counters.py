"""What a program counts itself, read from its text: Prometheus, JSON, `name value` lines, or redis's INFO.

Only what counts up can be divided by the operations of a load. Prometheus says what does; of the others it is the
reader of both ends (`difference`) who finds what went down.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import Any

from fuselab.readouts import prometheus_samples

Pairs = Iterator[tuple[str, float]]
_BETWEEN_WORDS = " \t:="
_BETWEEN = re.compile(f"[{_BETWEEN_WORDS}]")
_REDIS = re.compile(r"([A-Za-z0-9_|.-]+):(\S+)")
_TYPE = re.compile(r"^[ \t]*#[ \t]+TYPE[ \t]+(\S+)[ \t]+(\S+)[ \t]*$", re.MULTILINE)
_NO_NAME = re.compile(r"[^A-Za-z0-9_.-]+")
_RATES = ("_per_call", "_per_sec", "_perc", "_kbps", "_ratio")
"""Ends of names in redis's INFO that are no counts, of what is called once for each command or thousand."""


@dataclass(frozen=True)
class Difference:
    """What was counted between two readings of one place, by name."""

    counted: Mapping[str, float]
    notes: tuple[str, ...] = ()
    """What was left out, and why."""


def parse(text: str, form: str, by: Sequence[str] = (), gauges: bool = False) -> dict[str, float]:
    """The counters of `text`, by the names that stand there; with `gauges` also what may go down.

    Raises ValueError if it is not written in `form`.
    """
    counters: dict[str, float] = {}
    pairs = _prometheus(text, by, gauges) if form == "prometheus" else _FORMATS[form](text)
    for name, value in pairs:
        if form != "prometheus" and name in counters:
            raise ValueError(f"`{name}` stands there twice")
        counters[name] = counters.get(name, 0.0) + value
    return counters


def _prometheus(text: str, by: Sequence[str], gauges: bool) -> Pairs:
    """Counters, and of histograms and summaries `_count` and `_sum`; series summed over all labels but `by`.

    Gauges only if asked for. What has no type is taken for a counter if it is called `_total`, as all should be.
    """
    types = {match[1]: match[2] for match in _TYPE.finditer(text)}
    for sample in prometheus_samples(text):
        wanted = _counts(sample.name, types) or (gauges and types.get(sample.name) == "gauge")
        if wanted and math.isfinite(sample.value):
            told_apart = (sample.labels[label] for label in by if sample.labels.get(label))
            yield ".".join([sample.name, *told_apart]), sample.value


def _counts(name: str, types: Mapping[str, str]) -> bool:
    if name in types:
        return types[name] == "counter" or (types[name] in ("untyped", "unknown") and name.endswith("_total"))
    for end in ("_total", "_count", "_sum"):
        kind = types.get(name.removesuffix(end)) if name.endswith(end) else None
        if kind is not None:
            return kind == "counter" if end == "_total" else kind in ("histogram", "summary")
    return name.endswith("_total")


def _number(written: str) -> float | None:
    """None of what is none, or is endless."""
    try:
        value = float(written)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _json(text: str) -> Pairs:
    try:
        yield from _flat(json.loads(text), ())
    except (ValueError, OverflowError, RecursionError) as error:
        raise ValueError(f"it is no JSON: {error}") from error


def _flat(data: Any, at: tuple[str, ...]) -> Pairs:
    """Every number by its dotted path; items of lists by their number, from 0."""
    if isinstance(data, dict):
        for key, inner in data.items():
            yield from _flat(inner, (*at, key))
    elif isinstance(data, list):
        for number, inner in enumerate(data):
            yield from _flat(inner, (*at, str(number)))
    elif isinstance(data, int | float) and not isinstance(data, bool) and math.isfinite(data):
        yield ".".join(at) or "value", float(data)


def _lines(text: str) -> Pairs:
    """Lines that end in a number; what else there is (headings, texts, units) is passed over."""
    for line in text.splitlines():
        last = _BETWEEN.split(line.strip())[-1]
        name, value = line.strip().removesuffix(last).strip(_BETWEEN_WORDS), _number(last)
        if name and not name.startswith("#") and value is not None:
            yield name, value


def _redis(text: str) -> Pairs:
    """`name:1`, and `cmdstat_get:calls=2,usec=10` as `cmdstat_get.calls` and `cmdstat_get.usec`."""
    if text.startswith("-"):
        raise ValueError(f"redis refused: {text.splitlines()[0][:80]}")
    for line in text.splitlines():
        if match := _REDIS.fullmatch(line.strip()):
            name, said = match.groups()
            parts = [part.partition("=") for part in said.split(",")] if "=" in said else [("", "", said)]
            for key, _, written in parts:
                value = _number(written)
                whole = f"{name}.{key}" if key else name
                if value is not None and not whole.endswith(_RATES):
                    yield whole, value


_FORMATS: Mapping[str, Callable[[str], Pairs]] = MappingProxyType(
    {"json": _json, "lines": _lines, "redis": _redis}
)


def chosen(
    counters: Mapping[str, float],
    only: Sequence[str] = (),
    without: Sequence[str] = (),
    rename: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, float]:
    """Those that match `only`, renamed, with nothing in their names that a metric may not be called.

    Raises ValueError where two would be called the same.
    """
    kept: dict[str, float] = {}
    for name, value in counters.items():
        if (not only or _matches(name, only)) and not _matches(name, without):
            new = _NO_NAME.sub("_", _renamed(name, rename)).strip("_.") or "unnamed"
            if new in kept:
                raise ValueError(f"two counters would be called `{new}`: `rename` one, or leave it out")
            kept[new] = value
    return kept


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _renamed(name: str, rename: Mapping[str, str]) -> str:
    """By the whole name, or by what stands before a dot in it."""
    for old in (name, *(name[:i] for i, letter in enumerate(name) if letter == ".")):
        if old in rename:
            return rename[old] + name[len(old) :]
    return name


def difference(before: Mapping[str, float], after: Mapping[str, float]) -> Difference:
    """What was counted between the two. One that was not there before has been made at its first event: from 0."""
    counted, down = {}, []
    for name, value in after.items():
        more = value - before.get(name, 0.0)
        if more >= 0:
            counted[name] = more
        else:
            down.append(f"`{name}` ({before[name]:g} to {value:g})")
    gone = [f"`{name}`" for name in before if name not in after]
    notes = [f"went down, so it is no counter: {', '.join(_some(down))}"] if down else []
    notes += [f"was not there any more after the load: {', '.join(_some(gone))}"] if gone else []
    return Difference(counted, tuple(notes))


def _some(names: list[str], most: int = 5) -> list[str]:
    return names if len(names) <= most else [*names[:most], f"{len(names) - most} more"]
