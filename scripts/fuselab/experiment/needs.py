"""The programs that an experiment, or a target by itself, calls on the machine that measures."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from fuselab import profilers
from fuselab.building.needs import missing
from fuselab.experiment.loading import Loaded
from fuselab.programs import RELAY, apt_install, installed, tool_path
from fuselab.targets.model import CargoBuild, CommandBuild, CounterSource, Installed, Target
from fuselab.workloads.verifying import VERIFIERS

Role = Literal["built with", "called", "asked", "looks", "counts", "verifies"]
"""`asked`: by fuselab, also how it would read a load. `looks`: a profiler's. `counts`: reads what a program counts."""


@dataclass(frozen=True)
class Need:
    """`of` is who calls it: `target demofs`, `load seq-write`."""

    of: str
    program: str
    role: Role
    here: bool
    mend: str
    version: tuple[str, ...] = ()
    """The argument list that prints its version."""


def needs_of(loaded: Loaded) -> Iterator[Need]:
    for target in loaded.targets.values():
        yield from needs_of_target(target)
    for name, service in loaded.services.items():
        argvs = (service.argv, *service.prepare, service.ready_argv)
        yield from _called(f"service {name}", (argv[0] for argv in argvs if argv), service=name)
        yield from _counting(f"service {name}", loaded.counters.get(name, ()))
    if any(variant.network for variant in loaded.experiment.variants):
        yield Need("network", RELAY, "called", installed(RELAY), apt_install(RELAY))
    for workload in loaded.experiment.workloads:
        of, kind = f"load {workload.name}", workload.behaviour
        steps = [argv[0] for argv in workload.prepare if argv]
        yield from _called(of, [*steps, *kind.called(workload.settings)])
        for program in kind.programs:
            yield Need(of, program, "asked", installed(program), apt_install(program))
    for way in loaded.experiment.verify:
        if (verifier := VERIFIERS[way].program) is not None:
            here = tool_path(verifier.name) is not None
            yield Need(f"verify: {way}", verifier.name, "verifies", here, verifier.mend)
    for name in dict.fromkeys(name for names in loaded.experiment.profilers for name in names):
        for each in profilers.REGISTRY[name].programs:
            mend = each.mend or apt_install(each.name)
            yield Need(f"profiler {name}", each.name, "looks", tool_path(each.name) is not None, mend)


def needs_of_target(target: Target) -> Iterator[Need]:
    of, build = f"target {target.name}", target.build
    if isinstance(build, CargoBuild | CommandBuild):
        lacking = missing(build)
        for program, package in build.needs:
            here = program not in lacking
            yield Need(of, program, "built with", here, f"sudo apt-get install {package}")
    if isinstance(build, Installed):
        here = installed(build.binary)
        yield Need(of, build.binary, "called", here, apt_install(build.binary), build.version)
    signs = (target.drain.argv,) if target.drain else ()
    yield from _called(of, (argv[0] for argv in (target.mount.argv, *target.mount.prepare, *signs) if argv))
    yield from _counting(of, target.counters)


def _called(of: str, programs: Iterable[str], service: str = "", role: Role = "called") -> Iterator[Need]:
    for program in dict.fromkeys(programs):
        if not _may_be_made(program):
            yield Need(of, program, role, installed(program), apt_install(program, of=service))


def _counting(of: str, counters: Iterable[CounterSource]) -> Iterator[Need]:
    return _called(of, (source.argv[0] for source in counters if source.argv), role="counts")


def _may_be_made(program: str) -> bool:
    """A placeholder, or a path that is relative to a folder of the run: a step before may make it."""
    return bool(re.search(r"\{\w+\}", program)) or ("/" in program and not program.startswith("/"))
