"""What one experiment needs beyond what all do: its targets' programs and sources, services, profilers."""

from __future__ import annotations

from collections.abc import Iterator

from fuselab.building.build import missing
from fuselab.doctor.base import Line, bad, note, ok
from fuselab.doctor.tools import version_of
from fuselab.experiment.loading import Loaded
from fuselab.programs import apt_install, installed
from fuselab.targets.model import CargoBuild, CommandBuild, Installed, Target


def needs(loaded: Loaded) -> Iterator[Line]:
    for target in loaded.targets.values():
        yield from _target(target)
    for name, service in loaded.services.items():
        argvs = (service.argv, *service.prepare, *((service.ready_argv,) if service.ready_argv else ()))
        for program in dict.fromkeys(argv[0] for argv in argvs):
            if installed(program):
                yield ok(f"service {name}", program)
            else:
                yield bad(f"service {name}", f"`{program}` is not installed", apt_install(program, of=name))
    yield from _profilers(loaded)
    yield from _network(loaded)


def _target(target: Target) -> Iterator[Line]:
    build = target.build
    what = f"target {target.name}"
    for name, package in missing(build).items():
        yield bad(
            what, f"it is built with `{name}`, which is not installed", f"sudo apt-get install {package}"
        )
    match build:
        case Installed():
            if not installed(build.binary):
                yield bad(what, f"`{build.binary}` is not installed", apt_install(build.binary))
            else:
                yield ok(what, (version_of(build.version) if build.version else None) or build.binary)
        case CargoBuild():
            if not installed("cargo"):
                yield bad(
                    what, "it is built by cargo, which is not installed", "install rustup (https://rustup.rs)"
                )
            else:
                yield ok(what, f"source in {build.source}")
        case CommandBuild():
            if installed(build.argv[0]) or (build.source and (build.source / build.argv[0]).exists()):
                yield ok(what, f"source in {build.source}, built by {build.argv[0]}")
            else:
                yield bad(what, f"its build command `{build.argv[0]}` is not installed")


def _profilers(loaded: Loaded) -> Iterator[Line]:
    from fuselab.profilers import REGISTRY

    for name in dict.fromkeys(name for names in loaded.experiment.profilers for name in names):
        for target in loaded.targets.values():
            capability = REGISTRY[name].capability(target)
            if capability.level != "ok":
                yield note(f"{name}, {target.name}", f"{capability.level}: {capability.reason}")


def _network(loaded: Loaded) -> Iterator[Line]:
    if loaded.experiment.network == "host":
        yield note(
            "network", "host: ports are shared with this machine, and other traffic is not kept out of runs"
        )
