"""From a load with a `sweep` to one load for each of its points, in the data itself: what comes after reads those.

A point is the load with one value in the place of another; what is wrong with the value is told of where it stands in
the file, and what is wrong with the load once.
"""

from __future__ import annotations

import copy
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from fuselab.records.point import Coordinate, Point
from fuselab.schema.diagnostics import Diagnostics
from fuselab.schema.units import amounts, nearest, seconds
from fuselab.schema.yaml_source import Key, Span
from fuselab.workloads import REGISTRY, quantity

OF_MOUNTS = ("options", "env")
"""What of a variant may be swept, beside the load's own keys."""
MOUNTS = "mounts"
"""How many mounts a run has may be swept, too."""
MOST_MOUNTS = 64
_LONGEST_NAME = 64
_MOST_POINTS = 64


@dataclass(frozen=True)
class Axis:
    """One sweep: `values` in the order written."""

    at: Key
    """Of the sweep in the file."""
    over: str
    values: tuple[Coordinate, ...]
    places: Mapping[str, Key]
    """Of each value, by its text."""
    captured: frozenset[str]
    limit: Mapping[str, float]

    @property
    def path(self) -> tuple[str, ...]:
        return tuple(self.over.split("."))

    @property
    def of_mounts(self) -> bool:
        return self.path[0] in (*OF_MOUNTS, MOUNTS)


@dataclass
class Sweeps:
    """The loads of one file that were written with a sweep."""

    axes: dict[str, tuple[Axis, ...]] = field(default_factory=dict)
    """By the load's name."""
    points: dict[str, Point] = field(default_factory=dict)
    """By the name of the load that a point has become."""


def expand(diagnostics: Diagnostics, data: dict[str, Any]) -> Sweeps:
    """Replace every load that has a `sweep` in `data` by its points."""
    made, loads = Sweeps(), {}
    for name, part in data.get("workloads", {}).items():
        axes = _axes(diagnostics, ("workloads", name), part) if "sweep" in part else ()
        plain = {key: value for key, value in part.items() if key != "sweep"}
        if not axes:
            loads[name] = plain
            continue
        made.axes[name] = axes
        for point_name, point in _points(diagnostics, name, axes):
            if point_name in loads or point_name in data["workloads"]:
                message = f"a point of it is called '{point_name}', and there is a load of that name"
                diagnostics.add(("workloads", name), message, of_key=True)
            loads[point_name] = _part(diagnostics, name, point_name, plain, point, axes)
            made.points[point_name] = point
    if "workloads" in data:
        data["workloads"] = loads
    return made


def _axes(diagnostics: Diagnostics, at: Key, part: Mapping[str, Any]) -> tuple[Axis, ...]:
    """Nothing, with diagnostics, where one of them cannot be."""
    given = part["sweep"]
    sweeps = (
        [((*at, "sweep"), given)]
        if isinstance(given, dict)
        else [((*at, "sweep", i), one) for i, one in enumerate(given)]
    )
    axes = [axis for place, sweep in sweeps if (axis := _axis(diagnostics, place, sweep, part))]
    if len(axes) == 2 and axes[0].over == axes[1].over:
        diagnostics.add(
            (*axes[1].at, "over"), f"'{axes[1].over}' is swept already: the second axis is another"
        )
        return ()
    return tuple(axes) if len(axes) == len(sweeps) else ()


def _axis(
    diagnostics: Diagnostics, at: Key, sweep: Mapping[str, Any], part: Mapping[str, Any]
) -> Axis | None:
    if "over" not in sweep or len(sweep.get("values", ())) < 2:
        return None  # which is a fault of its own
    over, path = str(sweep["over"]), tuple(str(sweep["over"]).split("."))
    if not _is_there(diagnostics, (*at, "over"), path, part):
        return None
    places = {
        diagnostics.source.text((*at, "values", i), v): (*at, "values", i)
        for i, v in enumerate(sweep["values"])
    }
    texts = [diagnostics.source.text((*at, "values", i), value) for i, value in enumerate(sweep["values"])]
    kind = REGISTRY.get(path[0])
    numbers = amounts(texts) if kind is None else kind.numbers(path[-1], texts)
    coordinates: list[Coordinate] = []
    for i, (text, number) in enumerate(zip(texts, numbers, strict=True)):
        value = float(i) if number is None else number
        twin = next((one for one in coordinates if number is not None and one.value == value), None)
        if twin is not None:
            same = "is on the axis already" if twin.text == text else f"is the same as '{twin.text}'"
            diagnostics.add((*at, "values", i), f"'{text}' {same}: keep one of them")
        if path == (MOUNTS,) and not (text.isdigit() and 1 <= int(text) <= MOST_MOUNTS):
            diagnostics.add((*at, "values", i), f"'{text}' is no number of mounts: from 1 to {MOST_MOUNTS}")
        elif number is None and kind is None:
            message = f"'{text}' is no number with a unit that is known, and an axis has an order"
            diagnostics.add(
                (*at, "values", i), message, allowed=("k", "m", "g", "t", "us", "ms", "s", "h", "%")
            )
        coordinates.append(Coordinate(over, text, value))
    captured, limit = _captured(diagnostics, at, sweep, texts), _limit(diagnostics, at, sweep)
    return Axis(at, over, tuple(coordinates), places, captured, limit)


def _limit(diagnostics: Diagnostics, at: Key, sweep: Mapping[str, Any]) -> dict[str, float]:
    """Metric -> what it is to keep to, in its own unit."""
    found = {}
    for metric, value in sweep.get("limit", {}).items():
        place = (*at, "limit", metric)
        text, timed = diagnostics.source.text(place, value), quantity(metric).unit in ("ns", "s")
        try:
            factor = 1e9 if quantity(metric).unit == "ns" else 1.0
            number = seconds(text) * factor if timed else amounts([text])[0]
        except ValueError:
            number = None
        if number is None:
            noun, example = ("time", "20ms") if timed else ("number", "500 or 10m")
            mend = nearest("duration", text) if timed else None
            diagnostics.add(
                place,
                f"'{text}' is no {noun} that '{metric}' could keep to, as {example} is",
                suggestion=mend,
            )
        else:
            found[metric] = number
    return found


def _captured(
    diagnostics: Diagnostics, at: Key, sweep: Mapping[str, Any], texts: Sequence[str]
) -> frozenset[str]:
    found = set()
    for i, value in enumerate(sweep.get("capture_at", ())):
        text = diagnostics.source.text((*at, "capture_at", i), value)
        if text not in texts:
            diagnostics.unknown((*at, "capture_at", i), "value", texts, why=" of this sweep", name=text)
        found.add(text)
    return frozenset(found)


def _is_there(diagnostics: Diagnostics, at: Key, path: tuple[str, ...], part: Mapping[str, Any]) -> bool:
    """Whether the load has a place for what is swept: all but the last of its keys, and of a list the last too."""
    if path == (MOUNTS,):
        return True
    if path[0] in OF_MOUNTS:
        if len(path) > 2:
            diagnostics.add(
                at, f"'{'.'.join(path)}' is too long: a mount option is options.NAME, a variable env.NAME"
            )
        return len(path) == 2
    inner: Any = part
    for depth, step in enumerate(path):
        last, there = depth == len(path) - 1, _step(inner, step)
        if there is None and (not last or isinstance(inner, list) or depth == 0):
            diagnostics.unknown(at, "key", _keys(part), why=" of this load", name=".".join(path))
            return False
        inner = None if there is None else inner[there]
    if isinstance(inner, dict | list):
        diagnostics.add(at, f"'{'.'.join(path)}' holds several values: name one of them", allowed=_keys(part))
        return False
    return True


def _step(inner: Any, step: str) -> str | int | None:
    """The key of `inner` that `step` names, if it is there."""
    if isinstance(inner, list):
        return int(step) if step.isdigit() and int(step) < len(inner) else None
    return step if isinstance(inner, dict) and step in inner else None


def _keys(part: Mapping[str, Any]) -> list[str]:
    """All that can be named in a load."""
    kinds = {key: value for key, value in part.items() if key in REGISTRY}
    return [*_leaves(kinds, ()), "options.NAME", "env.NAME", MOUNTS]


def _leaves(value: Any, above: tuple[str, ...]) -> Iterator[str]:
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _leaves(inner, (*above, str(key)))
    else:
        yield ".".join(above)


def _points(diagnostics: Diagnostics, name: str, axes: Sequence[Axis]) -> Iterator[tuple[str, Point]]:
    """Name and place of each point, in the order of the numbers, the first axis changing slowest last."""
    ordered = [sorted(axis.values, key=lambda one: one.value) for axis in reversed(axes)]
    count = len(list(itertools.product(*ordered)))
    if count > _MOST_POINTS:
        diagnostics.add(axes[0].at, f"{count} points: a sweep has {_MOST_POINTS} at the most")
        return
    for combination in itertools.product(*ordered):
        at = tuple(reversed(combination))
        point_name = "-".join((name, *(_slug(f"{one.axis}-{one.text}") for one in at)))
        if len(point_name) > _LONGEST_NAME or "-vs-" in point_name:
            message = f"a point of it would be called '{point_name}', which is no name: call the load by a shorter one"
            diagnostics.add(("workloads", name), message, of_key=True)
            return
        yield point_name, _point(name, axes, at)


def _point(name: str, axes: Sequence[Axis], at: tuple[Coordinate, ...]) -> Point:
    given: dict[str, dict[str, str]] = {"options": {}, "env": {}}
    for axis, one in zip(axes, at, strict=True):
        if axis.path[0] in OF_MOUNTS:
            given[axis.path[0]][axis.path[1]] = one.text
    asked = [(axis.captured, one.text) for axis, one in zip(axes, at, strict=True) if axis.captured]
    captured = bool(asked) and all(text in there for there, text in asked)
    limit = {metric: value for axis in axes for metric, value in axis.limit.items()}
    mounts = next((int(one.value) for one in at if one.over == MOUNTS), None)
    return Point(name, at, **given, mounts=mounts, captured=captured, limit=limit)


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.]+", "-", text).strip("-.")


def _part(
    diagnostics: Diagnostics,
    name: str,
    point_name: str,
    plain: Mapping[str, Any],
    point: Point,
    axes: Sequence[Axis],
) -> dict[str, Any]:
    """The load as it is at a point."""
    source, part = diagnostics.source, copy.deepcopy(dict(plain))
    source.copy(("workloads", name), ("workloads", point_name))
    for axis, one in zip(axes, point.at, strict=True):
        if axis.of_mounts:
            continue
        inner: Any = part
        steps: list[str | int] = []
        for step in axis.path[:-1]:
            steps.append(int(step) if isinstance(inner, list) else step)
            inner = inner[steps[-1]]
        last: str | int = int(axis.path[-1]) if isinstance(inner, list) else axis.path[-1]
        place = axis.places[one.text]
        inner[last] = _value(diagnostics, place)
        made = ("workloads", point_name, *steps, last)
        source.place(made, (*axis.at, "over"), _tail(diagnostics, axis), place)
    return part


def _value(diagnostics: Diagnostics, at: Key) -> Any:
    """As the file has it: a number, or text."""
    value: Any = diagnostics.source.data
    for step in at:
        value = value[step]
    return value


def _tail(diagnostics: Diagnostics, axis: Axis) -> Span:
    """Where the last of the swept keys stands in `over`."""
    span = diagnostics.source.span((*axis.at, "over"), of_key=False)
    if span.end_column is None or span.end_column - span.column != len(axis.over):
        return span  # in quotes
    return replace(span, column=span.end_column - len(axis.path[-1]))
