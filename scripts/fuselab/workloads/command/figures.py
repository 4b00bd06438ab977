"""The figures that a command writes: which, where, in what unit, and whether more of it is better."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fuselab import foreign, readouts
from fuselab.readouts import ReadoutError
from fuselab.targets.model import fill
from fuselab.workloads.base import LoadContext
from fuselab.workloads.metric import Metric, Phrase, Quantity

if TYPE_CHECKING:
    from fuselab.records.metrics import Better
    from fuselab.schema.diagnostics import Diagnostics
    from fuselab.schema.yaml_source import Key

PREFIX = "command."
MOST_BYTES = 16 << 20
"""Of what is read for a figure: as much as is kept of what a program writes."""
FORMS = ("regex", "json", "prometheus", "csv")
"""Keys of a metric of which one says where its value is."""


@dataclass(frozen=True)
class Unit:
    """`factor` leads to the unit that such a figure has everywhere; None for `better`: neither is clear by itself."""

    factor: float
    base: str
    better: Better | None = None


_TIMES = {"ns": 1.0, "us": 1e3, "ms": 1e6, "s": 1e9}
_SIZES = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
UNITS: Mapping[str, Unit] = {
    "1/s": Unit(1, "1/s", "higher"),
    **{f"{name}/s": Unit(size, "B/s", "higher") for name, size in _SIZES.items()},
    **{name: Unit(ns, "ns", "lower") for name, ns in _TIMES.items()},
    **{name: Unit(size, "B") for name, size in _SIZES.items()},
    "count": Unit(1, "count"),
}


def known(metric: str) -> Quantity:
    """What the name tells of a metric that somebody has named in an experiment."""
    return Quantity(metric, "", "lower", Phrase(f"`{metric.removeprefix(PREFIX)}` of the command"))


def read(diagnostics: Diagnostics, at: Key, part: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Settings of the `metrics` that stand at `at`, each with its `unit` and `better`; adds what no run could mend."""
    for name in part:
        if name == "wall_s":
            message = "'wall_s' is the wall time, which every command has: call this metric otherwise"
            diagnostics.add((*at, name), message, of_key=True)
    return {name: _read(diagnostics, (*at, name), metric) for name, metric in part.items()}


def _read(diagnostics: Diagnostics, at: Key, part: Mapping[str, Any]) -> dict[str, Any]:
    unit, better = UNITS.get(part.get("unit", "")), part.get("better")
    if unit is not None and better is None and unit.better is None:
        message = f"of a figure in {part['unit']} either may be better: say which, 'better: lower' or 'better: higher'"
        diagnostics.add((*at, "unit"), message)
    if fault := fault_of(part):
        key, words = fault
        diagnostics.add((*at, key), f"'{part[key]}' {words}")
    made = {**part, "better": better or (unit.better if unit else None)}
    return {**made, "csv": _cell(diagnostics, (*at, "csv"), part["csv"])} if "csv" in part else made


def _cell(diagnostics: Diagnostics, at: Key, part: Mapping[str, Any]) -> dict[str, Any]:
    """What stands in a table is text, also where YAML takes it for a number."""
    texts, row = diagnostics.source.texts, part.get("row")
    if isinstance(row, Mapping):
        row = {str(name): texts.get((*at, "row", name), str(value)) for name, value in row.items()}
    return {"column": texts.get((*at, "column"), str(part.get("column"))), "row": row}


def fault_of(part: Mapping[str, Any]) -> tuple[str, str] | None:
    """(key, what is wrong) of a place that never is one value."""
    try:
        if "regex" in part:
            groups = re.compile(part["regex"]).groups
            if groups != 1:
                raise ValueError(_GROUPS.format(f"{groups} groups" if groups else "no group"))
        if "json" in part:
            readouts.json_path(part["json"])
        if "prometheus" in part:
            readouts.prometheus_selector(part["prometheus"])
    except re.error as error:
        return "regex", f"is no regular expression of Python's: {error}"
    except (ValueError, RecursionError, OverflowError) as error:
        return next(form for form in FORMS if form in part), str(error)
    return None


_GROUPS = (
    "has {}, and the value is what one group holds, as in 'created (\\S+) files': "
    "put one around the number, and write (?:...) for others"
)


def found(metrics: Mapping[str, Mapping[str, Any]], said: Path, context: LoadContext) -> Iterator[Metric]:
    """Each of `metrics` in its base unit, from standard output (the file `said`) or from the file that it names.

    Raises ReadoutError that names the metric.
    """
    for name, part in metrics.items():
        path = context.directory / fill(part["file"], context.values) if "file" in part else said
        unit = UNITS[part["unit"]]
        try:
            value = _value(_text(path), part)
            if value < 0:
                raise ReadoutError(
                    f"{value:g} {part['unit']} stands in its place, and no such figure is below 0"
                )
        except ReadoutError as error:
            where = f"the file {path}" if "file" in part else "what it wrote"
            raise ReadoutError(f"the metric `{name}` is not in {where}: {error}") from error
        yield Metric(PREFIX + name, unit.base, part["better"], value * unit.factor)


def _text(path: Path) -> str:
    if path.exists() and not path.is_file():
        raise ReadoutError("it is no regular file")
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise ReadoutError(f"{error.strerror}: was it written?") from error
    if len(content) > MOST_BYTES:
        raise ReadoutError(
            f"it is larger than {MOST_BYTES >> 20} MiB, the most that is searched for a figure"
        )
    return foreign.plain(content.decode(errors="replace"))


def _value(text: str, part: Mapping[str, Any]) -> float:
    if "regex" in part:
        return readouts.by_regex(text, re.compile(part["regex"]))
    if "json" in part:
        return readouts.by_json(text, part["json"])
    if "prometheus" in part:
        return readouts.by_prometheus(text, part["prometheus"])
    return readouts.by_csv(text, part["csv"]["column"], part["csv"]["row"])
