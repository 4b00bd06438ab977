"""From what the file says to its workloads, each read by its kind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from fuselab.experiment import turns
from fuselab.experiment.model import Workload
from fuselab.schema.argvs import check_argvs
from fuselab.schema.diagnostics import Diagnostics
from fuselab.schema.reading import given
from fuselab.schema.yaml_source import Key
from fuselab.workloads import REGISTRY

if TYPE_CHECKING:
    from fuselab.records.point import Point


def read_workloads(
    diagnostics: Diagnostics, data: Mapping[str, Any], points: Mapping[str, Point]
) -> tuple[Workload, ...]:
    """All loads in order. One without a kind (a diagnostic already) is left out."""
    loads, slice_s = [], turns.slice_of(diagnostics, data)
    for name, part in data.get("workloads", {}).items():
        kind = next((kind for kind in REGISTRY if kind in part), None)
        if kind is not None:
            load = _workload(diagnostics, ("workloads", name), name, kind, part)
            loads.append(replace(load, point=points.get(name), slice_s=slice_s))
    return tuple(loads)


def _workload(diagnostics: Diagnostics, at: Key, name: str, kind: str, part: Mapping[str, Any]) -> Workload:
    plain = {key: part[key] for key in ("timeout", "cache") if key in part}
    check_argvs(diagnostics, (*at, "prepare"), part.get("prepare"))
    prepare = tuple(
        _step(diagnostics, (*at, "prepare", i), step) for i, step in enumerate(part.get("prepare", ()))
    )
    settings = REGISTRY[kind].read(diagnostics, (*at, kind), name, part[kind])
    return Workload(name, kind, settings, prepare, **given(diagnostics.source, Workload, plain, at))


def _step(diagnostics: Diagnostics, at: Key, step: Any) -> tuple[str, ...]:
    """An argument list; that of a kind of load where the step is given as such."""
    if isinstance(step, list):
        return diagnostics.source.words(at, step)
    kind = next((kind for kind in REGISTRY if kind in step), None)
    return () if kind is None else REGISTRY[kind].step(diagnostics, (*at, kind), step[kind])
