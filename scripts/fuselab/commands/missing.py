"""Programs that a target or an experiment calls and that are not on this machine; another one may measure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from fuselab import profilers
from fuselab.building.build import missing
from fuselab.doctor.base import Line, note
from fuselab.programs import installed, tool_path
from fuselab.targets.model import Installed, Target

if TYPE_CHECKING:
    from fuselab.experiment.loading import Loaded


def missing_programs(loaded: Loaded) -> list[Line]:
    """A note for each program that the experiment calls and that is not here."""
    lines = [line for target in loaded.targets.values() for line in missing_of_target(target)]
    for name, service in loaded.services.items():
        argvs = (service.argv, *service.prepare, service.ready_argv)
        lines += _lines(f"service {name}", [argv[0] for argv in argvs if argv])
    for workload in loaded.experiment.workloads:
        what = f"load {workload.name}"
        called = workload.behaviour.called(workload.settings)
        lines += _lines(what, [*(argv[0] for argv in workload.prepare if argv), *called])
        lines += _unasked(what, workload.behaviour.programs)
    for name in dict.fromkeys(name for names in loaded.experiment.profilers for name in names):
        programs = [program.name for program in profilers.REGISTRY[name].programs]
        lines += _lines(f"profiler {name}", [program for program in programs if not tool_path(program)])
    return lines


def missing_of_target(target: Target) -> list[Line]:
    own = [target.build.binary] if isinstance(target.build, Installed) else []
    argvs = (target.mount.argv, *target.mount.prepare)
    what = f"target {target.name}"
    needed = [
        note(what, f"`{name}` is not on PATH here, and it is built with it: sudo apt-get install {package}")
        for name, package in missing(target.build).items()
    ]
    return [*needed, *_lines(what, [*own, *(argv[0] for argv in argvs if argv)])]


def shown(line: Line) -> str:
    return f"note: {line.what}: {line.text}"


def _unasked(what: str, programs: Iterable[str]) -> Iterator[Line]:
    for program in programs:
        if not installed(program):
            yield note(what, f"{program} is not on PATH here, and could not be asked how it reads this load")


def _lines(what: str, programs: list[str]) -> Iterator[Line]:
    for program in dict.fromkeys(programs):
        if _may_be_made(program) or installed(program):
            continue
        where = "is not there" if "/" in program else "is not on PATH here"
        yield note(what, f"`{program}` {where}: the machine that measures needs it")


def _may_be_made(program: str) -> bool:
    """A placeholder, or a path that is relative to a folder of the run: a step before may make it."""
    return bool(re.search(r"\{\w+\}", program)) or ("/" in program and not program.startswith("/"))
