"""From what the file says to its workloads: one reader for each kind, behind one registry."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fuselab.experiment.model import Workload
from fuselab.schema import units
from fuselab.schema.argvs import check_argv, check_argvs
from fuselab.schema.diagnostics import Diagnostics
from fuselab.schema.yaml_source import Key
from fuselab.workloads.fio.options import fio_load, fio_step, written


def read_workloads(diagnostics: Diagnostics, data: Mapping[str, Any]) -> tuple[Workload, ...]:
    """All loads in order. One without a kind (a diagnostic already) is left out."""
    found = []
    for name, part in data.get("workloads", {}).items():
        at: Key = ("workloads", name)
        kind = next((kind for kind in READERS if kind in part), None)
        if kind is not None:
            found.append(_workload(diagnostics, at, name, kind, part))
    return tuple(found)


def _workload(diagnostics: Diagnostics, at: Key, name: str, kind: str, part: Mapping[str, Any]) -> Workload:
    given: dict[str, Any] = {}
    if "timeout" in part:
        given["timeout_s"] = units.seconds(part["timeout"])
    if "cache" in part:
        given["cache"] = part["cache"]
    check_argvs(diagnostics, (*at, "prepare"), part.get("prepare"))
    prepare = tuple(
        _step(diagnostics, (*at, "prepare", i), step) for i, step in enumerate(part.get("prepare", ()))
    )
    settings = READERS[kind](diagnostics, (*at, kind), name, part[kind])
    return Workload(name, kind, settings, prepare, **given)


def _step(diagnostics: Diagnostics, at: Key, step: Any) -> tuple[str, ...]:
    """An argument list; that of fio where the step is given as fio options."""
    if isinstance(step, list):
        return tuple(written(diagnostics, (*at, i), word) for i, word in enumerate(step))
    return fio_step(diagnostics, (*at, "fio"), step.get("fio", {}))


def _criterion(diagnostics: Diagnostics, at: Key, name: str, part: Mapping[str, Any]) -> dict[str, object]:
    args = tuple(written(diagnostics, (*at, "args", i), word) for i, word in enumerate(part.get("args", ())))
    return {"bench": part.get("bench", ""), "filter": part.get("filter", ""), "args": args}


def _command(diagnostics: Diagnostics, at: Key, name: str, part: Mapping[str, Any]) -> dict[str, object]:
    check_argv(diagnostics, (*at, "argv"), part.get("argv"))
    argv = tuple(written(diagnostics, (*at, "argv", i), word) for i, word in enumerate(part.get("argv", ())))
    return {"argv": argv, "expect_exit": part.get("expect_exit", 0)}


ReadSettings = Callable[[Diagnostics, Key, str, Mapping[str, Any]], dict[str, object]]

READERS: dict[str, ReadSettings] = {"fio": fio_load, "criterion": _criterion, "command": _command}
"""By kind, as in `fuselab.workloads.REGISTRY`: the settings its module expects, from what the file says."""
