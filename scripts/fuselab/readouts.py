"""Numbers in what a program writes for others to read: lines of text, JSON, Prometheus' text format, CSV.

Whoever asks names one number, and gets that one or is told what was found in its place: nothing is guessed, and of two
values none is chosen.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")
Step = str | int
"""From a JSON value to one inside it: a key, or a place in a list."""
_STEP = re.compile(
    r"""\.(?P<key>[^.\[\]'"*?@()\s]+) | \[(?P<place>-?\d+)\] | \[(?P<quote>['"])(?P<quoted>.*?)(?P=quote)\]""",
    re.VERBOSE,
)
_SEVERAL = re.compile(r"\*|\.\.|\?|\[[^'\"\]]*[:,]")
"""What makes a path of JSONPath one to any number of values."""
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_SAMPLE = re.compile(
    r"(?P<name>[A-Za-z_:][\w:]*)\s*(?:\{(?P<labels>.*)\})?(?:\s+(?P<value>\S+)(?:\s+-?\d+)?)?\s*", re.ASCII
)
_LABEL = re.compile(r'\s*([A-Za-z_]\w*)\s*=\s*"((?:[^"\\]|\\.)*)"\s*(?:,|$)', re.ASCII)


class ReadoutError(ValueError):
    """The number is not there, or not alone: what was looked for, and what there is."""


@dataclass(frozen=True)
class Sample:
    """One line of Prometheus' text format."""

    name: str
    labels: Mapping[str, str]
    value: float
    line: int
    """Lines count from 1, as editors do."""


def number(text: str, where: str) -> float:
    """`text` as a finite number; `where` it stood is for the error."""
    word = text.strip()
    value = float(word) if _NUMBER.fullmatch(word) else math.nan
    if not math.isfinite(value):
        raise ReadoutError(f"{where} holds '{word[:80]}', which is no number")
    return value


def by_regex(text: str, pattern: re.Pattern[str]) -> float:
    """The group of `pattern` in the one line that has it."""
    found = [(at, match[1]) for at, line in _lines(text) for match in pattern.finditer(line)]
    place, value = _only(found, f"a line that matches the regular expression `{pattern.pattern}`")
    if value is None:
        raise ReadoutError(f"line {place} matches `{pattern.pattern}`, but not with its group")
    return number(value, f"line {place}")


def json_path(text: str) -> tuple[Step, ...]:
    """`$.jobs[0].p99`: one place, whatever the document is. Raises ValueError, with the mend."""
    if _SEVERAL.search(re.sub(r"\[(['\"]).*?\1\]", "", text)):
        raise ValueError(
            "may find several values, and a metric is one: name each key, and a place in a list as [0]"
        )
    steps, at = [], 1
    while at < len(text) and text.startswith("$"):
        match = _STEP.match(text, at)
        if match is None:
            break
        steps.append(_step(match))
        at = match.end()
    if not steps or at < len(text):
        raise ValueError(
            "is not a path of keys and places, as $.latency.p99, $.jobs[0].rate or $['a key'].rate"
        )
    return tuple(steps)


def _step(match: re.Match[str]) -> Step:
    if match["place"] is not None:
        return int(match["place"])
    return match["key"] if match["key"] is not None else match["quoted"]


def by_json(text: str, path: str) -> float:
    """The number at `path` in the one JSON document of `text` that has it; others may stand there, and text around."""
    steps = json_path(path)
    documents = list(json_documents(text))
    if not documents:
        raise ReadoutError(f"no JSON was found, where {path} should be")
    found = [(line, value) for line, document in documents for value in _inside(document, steps)]
    place, value = _only(found, f"a JSON document with {path}")
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ReadoutError(
            f"{path} (of the JSON that begins in line {place}) holds no number, but {_kind(value)}"
        )
    return number(str(value), f"{path} (of the JSON that begins in line {place})")


def json_documents(text: str) -> Iterator[tuple[int, object]]:
    """(line, value) of every object or list that begins a line, however many lines it has."""
    decoder = json.JSONDecoder(strict=False)
    until = 0
    for match in re.finditer(r"^[ \t]*(?=[{\[])", text, re.MULTILINE):
        if match.start() >= until:
            try:
                value, until = decoder.raw_decode(text, match.end())
            except (ValueError, RecursionError):
                continue
            yield text.count("\n", 0, match.end()) + 1, value


def _inside(value: object, steps: Sequence[Step]) -> Iterator[object]:
    """What `steps` lead to: one value or none."""
    for step in steps:
        try:
            value = _entered(value, step)
        except LookupError:
            return
    yield value


def _entered(value: object, step: Step) -> object:
    if isinstance(step, int) and isinstance(value, list):
        return value[step]
    if isinstance(step, str) and isinstance(value, dict):
        return value[step]
    raise LookupError(step)


def prometheus_samples(text: str) -> Iterator[Sample]:
    """Of every line that is one (https://prometheus.io/docs/instrumenting/exposition_formats/), and of no other."""
    for at, line in _lines(text):
        match = _SAMPLE.fullmatch(line.strip())
        if match is not None and match["value"] is not None:
            with_labels = _labels(match["labels"])
            try:
                value = float(match["value"])
            except ValueError:
                continue
            if with_labels is not None:
                yield Sample(match["name"], with_labels, value, at)


def prometheus_selector(text: str) -> tuple[str, Mapping[str, str]]:
    """`requests_total{method="put"}` -> name and labels. Raises ValueError, with the mend."""
    match = _SAMPLE.fullmatch(text.strip())
    labels = None if match is None or match["value"] is not None else _labels(match["labels"])
    if match is None or labels is None:
        raise ValueError("""is not the name of a sample, as up or requests_total{method="put"}""")
    return match["name"], labels


def _labels(text: str | None) -> dict[str, str] | None:
    """`a="b",c="d"`; None if it is not that."""
    labels, at = {}, 0
    while text and at < len(text):
        match = _LABEL.match(text, at)
        if match is None:
            return None
        labels[match[1]] = re.sub(
            r"\\(.)", lambda escaped: "\n" if escaped[1] == "n" else escaped[1], match[2]
        )
        at = match.end()
    return labels


def by_prometheus(text: str, selector: str) -> float:
    """The one sample with that name and at least those labels."""
    name, labels = prometheus_selector(selector)
    found = [
        (sample.line, sample.value)
        for sample in prometheus_samples(text)
        if sample.name == name and labels.items() <= sample.labels.items()
    ]
    place, value = _only(found, f"a sample {selector}")
    return number(repr(value), f"line {place}")


def by_csv(text: str, column: str, row: int | Mapping[str, str] | None = None) -> float:
    """The cell in `column` of one row below the header, which is the first line with that column.

    `row`: which row below it, from 1 (-1: the last one), or what stands in other columns of it. Without, it has to be
    the only one.
    """
    lines = list(csv.reader(io.StringIO(text)))
    cells = [[cell.strip() for cell in line] for line in lines]
    head = next((i for i, line in enumerate(cells) if column in line), None)
    if head is None:
        raise ReadoutError(f"no line has the column '{column}'")
    header = cells[head]
    if header.count(column) > 1:
        raise ReadoutError(
            f"the header in line {head + 1} has the column '{column}' {header.count(column)} times"
        )
    below = [(head + 2 + i, line) for i, line in enumerate(cells[head + 1 :]) if len(line) == len(header)]
    place, line = _row(below, header, row)
    return number(line[header.index(column)], f"line {place}, column '{column}',")


def _row(
    below: Sequence[tuple[int, list[str]]], header: Sequence[str], row: int | Mapping[str, str] | None
) -> tuple[int, list[str]]:
    if isinstance(row, int):
        at = row - 1 if row > 0 else row
        if not row or not -len(below) <= at < len(below):
            raise ReadoutError(f"there is no row {row}: {len(below)} stand below the header")
        return below[at]
    wanted = dict(row or {})
    if missing := wanted.keys() - set(header):
        raise ReadoutError(f"the header has no column '{min(missing)}'")
    words = " and ".join(f"{value} in '{name}'" for name, value in wanted.items())
    matching = [
        (place, line)
        for place, line in below
        if wanted.items() <= dict(zip(header, line, strict=True)).items()
    ]
    return _only(matching, f"a row with {words}" if words else "a row below the header")


def _only(found: Sequence[tuple[int, T]], what: str) -> tuple[int, T]:
    if not found:
        raise ReadoutError(f"{what} was expected, and there is none")
    if len(found) > 1:
        places = ", ".join(str(place) for place, _ in found[:5]) + (", ..." if len(found) > 5 else "")
        raise ReadoutError(f"{what} was expected once, and there are {len(found)}: lines {places}")
    return found[0]


def _lines(text: str) -> Iterable[tuple[int, str]]:
    return enumerate(text.splitlines(), 1)


def _kind(value: object) -> str:
    return {dict: "an object", list: "a list", bool: "true or false"}.get(type(value), "null")
