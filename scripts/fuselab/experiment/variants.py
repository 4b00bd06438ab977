"""From what the file says to its variants: inheritance, the matrix, the control."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fuselab.experiment.model import Variant
from fuselab.schema.diagnostics import Diagnostics
from fuselab.schema.yaml_source import Key, YamlSource
from fuselab.targets.model import STORES

INHERITED = ("target", "backend", "rev", "features", "rustflags", "profile", "options", "env")
CONTROL = "control"
MOST_VARIANTS = 256
_MAPS = ("options", "env", "fio")


@dataclass
class Draft:
    """A variant before its target is known. `places` says where each part of it is written."""

    name: str
    at: Key
    values: dict[str, Any] = field(default_factory=dict)
    places: dict[Key, Key] = field(default_factory=dict)
    cell: Mapping[str, str] = field(default_factory=dict)
    """In a matrix: axis -> label."""

    def place(self, *key: str) -> Key:
        return self.places.get(key, self.at)

    def absorb(self, diagnostics: Diagnostics, part: Mapping[str, Any], at: Key) -> None:
        """Take over `part`, which stands at `at`. Options, environment and the two stores of a pair are added to, the
        rest replaced."""
        for key, value in part.items():
            if key in _MAPS:
                for name, inner in value.items():
                    text = diagnostics.source.texts.get((*at, key, name), str(inner))
                    if key == "fio" and isinstance(inner, bool):
                        text = str(int(inner))
                    self.values.setdefault(key, {})[name] = text
                    self.places[key, name] = (*at, key, name)
            elif key == "backend" and isinstance(value, dict):
                before = self.values.get(key)
                self.values[key] = {**(before if isinstance(before, dict) else {}), **value}
                self.places |= {(key, name): (*at, key, name) for name in value}
            else:
                self.values[key] = value
            self.places[key,] = (*at, key)


def read_drafts(diagnostics: Diagnostics, data: Mapping[str, Any]) -> list[Draft]:
    """Every variant in order, the control last."""
    if "matrix" in data:
        drafts = _from_matrix(diagnostics, data)
    else:
        parts = ((name, ("variants", name), part) for name, part in data.get("variants", {}).items())
        drafts = [_draft(diagnostics, data, name, at, [(part, at)]) for name, at, part in parts]
    if data.get("control") and drafts:
        if any(draft.name == CONTROL for draft in drafts):
            message = f"'control: true' adds a variant '{CONTROL}', and there is one of that name"
            diagnostics.add((CONTROL,), message, of_key=True)
        else:
            base = drafts[0]
            drafts.append(replace(base, name=CONTROL, values=base.values | {CONTROL: True}, cell={}))
    return drafts


Parts = list[tuple[Mapping[str, Any], Key]]


def _draft(diagnostics: Diagnostics, data: Mapping[str, Any], name: str, at: Key, parts: Parts) -> Draft:
    draft = Draft(name, at)
    own_target = next((part["target"] for part, _ in parts if "target" in part), None)
    # What the experiment says of one target (its options, its backend) says nothing of another.
    if own_target is None or own_target == data.get("target"):
        draft.absorb(diagnostics, {key: data[key] for key in INHERITED if key in data}, ())
    for part, place in parts:
        draft.absorb(diagnostics, part, place)
    return draft


def _from_matrix(diagnostics: Diagnostics, data: Mapping[str, Any]) -> list[Draft]:
    matrix = data["matrix"]
    axes = matrix.get("axes", {})
    along = matrix.get("along")
    if along is not None and axes and along not in axes:
        diagnostics.unknown(("matrix", "along"), "axis", axes)
    _refuse_shared_keys(diagnostics, axes)
    drafts: list[Draft] = []
    choices = [list(_choices(diagnostics.source, axis, values)) for axis, values in axes.items()]
    if (count := math.prod(map(len, choices))) > MOST_VARIANTS:
        message = f"{count:,} combinations: an experiment has {MOST_VARIANTS} variants at the most"
        diagnostics.add(("matrix", "axes"), message)
        return []
    for combination in itertools.product(*choices):
        name = "-".join(label for _, label, _, _ in combination)
        parts = [(part, place) for _, _, part, place in combination]
        at = combination[0][3] if combination else ("matrix",)
        draft = _draft(diagnostics, data, name, at, parts)
        if any(known.name == name for known in drafts):
            diagnostics.add(
                ("matrix", "axes"), f"two combinations are both called '{name}': use labels that differ"
            )
        drafts.append(replace(draft, cell={axis: label for axis, label, _, _ in combination}))
    return drafts


def _choices(source: YamlSource, axis: str, values: Any) -> Iterator[tuple[str, str, Mapping[str, Any], Key]]:
    """(axis, label, part of a variant, where it stands) of one axis."""
    at: Key = ("matrix", "axes", axis)
    if isinstance(values, list):
        for i, value in enumerate(values):
            label = re.sub(r"[^A-Za-z0-9_.]+", "-", str(value)).strip("-.") or "x"
            # The value itself stands in the list, one level above where a key would.
            part = _stands_for(axis, value)
            _tell_by(source, part, (*at, i))
            yield axis, label, part, (*at, i)
    else:
        for label, part in values.items():
            yield axis, label, part, (*at, label)


def _stands_for(axis: str, value: Any) -> dict[str, Any]:
    """The part of a variant that one value of a list stands for."""
    return {"backend": {axis: value}} if axis in STORES else {axis: value}


def _tell_by(source: YamlSource, part: Mapping[str, Any], at: Key, below: Key = ()) -> None:
    """Let what the value of a list, at `at`, stands for be told of as that value."""
    for key, inner in part.items():
        source.written[(*at, *below, key)] = at, at
        if isinstance(inner, dict):
            _tell_by(source, inner, at, (*below, key))


def _refuse_shared_keys(diagnostics: Diagnostics, axes: Mapping[str, Any]) -> None:
    owner: dict[str, str] = {}
    for axis, values in axes.items():
        parts = [_stands_for(axis, None)] if isinstance(values, list) else values.values()
        for key in sorted({key for part in parts for key in _paths(part)}):
            other = next((of for known, of in owner.items() if of != axis and _overlap(key, known)), None)
            owner.setdefault(key, axis)
            if other is not None:
                message = f"the axes '{other}' and '{axis}' both set '{key}'"
                diagnostics.add(("matrix", "axes", axis), message, of_key=True)


def _overlap(one: str, other: str) -> bool:
    """Whether two paths are the same, or one is a part of the other: `backend` is all of `backend.meta`."""
    return f"{one}.".startswith(f"{other}.") or f"{other}.".startswith(f"{one}.")


def _paths(part: Mapping[str, Any]) -> Iterator[str]:
    for key, value in part.items():
        if key in (*_MAPS, "backend") and isinstance(value, dict):
            yield from (f"{key}.{name}" for name in value)
        else:
            yield key


def check_twins(diagnostics: Diagnostics, drafts: list[Draft], variants: Mapping[str, Variant]) -> None:
    """Variants that differ in nothing are a slip, unless one of them says it is a control."""
    seen: list[Variant] = []
    if diagnostics.broken_below(("matrix",)):
        return
    for draft in drafts:
        variant = variants.get(draft.name)
        if variant is None or diagnostics.broken_below(draft.at):
            continue
        if variant.control and seen and _essence(variant) != _essence(seen[0]):
            message = f"the control '{variant.name}' differs from the baseline '{seen[0].name}'"
            diagnostics.add((*draft.at, CONTROL), message, of_key=True)
        twin = next((known for known in seen if _essence(known) == _essence(variant)), None)
        if twin is not None and not variant.control:
            message = f"'{variant.name}' differs from '{twin.name}' in nothing"
            message += "; say so with 'control: true' if it is meant"
            diagnostics.add(draft.at, message, of_key=True, corrected=f"{draft.name}: {{control: true}}")
        if not variant.control:
            seen.append(variant)


def _essence(variant: Variant) -> Variant:
    return replace(
        variant, name="", control=False, env=tuple(sorted(variant.env)), fio=tuple(sorted(variant.fio))
    )
