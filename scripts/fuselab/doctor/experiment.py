"""What one experiment needs beyond what all do: programs, sources, what profilers can see."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fuselab import profilers
from fuselab.doctor.base import Line, bad, note, ok
from fuselab.doctor.tools import version_of
from fuselab.experiment.loading import Loaded
from fuselab.experiment.needs import Need, needs_of
from fuselab.programs import installed
from fuselab.targets.model import CargoBuild, CommandBuild, Target


def needs(loaded: Loaded) -> Iterator[Line]:
    # Programs that fuselab itself calls have their lines already.
    yield from (_program(need) for need in needs_of(loaded) if need.role in ("built with", "called"))
    for target in loaded.targets.values():
        yield from _source(target)
    yield from _profilers(loaded)
    if loaded.experiment.network == "host":
        yield note(
            "network", "host: ports are shared with this machine, and other traffic is not kept out of runs"
        )


def _program(need: Need) -> Line:
    if need.here:
        return ok(need.of, (version_of(need.version) if need.version else None) or need.program)
    if need.role == "built with":
        return bad(need.of, f"it is built with `{need.program}`, which is not installed", need.mend)
    return bad(need.of, f"`{need.program}` is not installed", need.mend)


def _source(target: Target) -> Iterator[Line]:
    build, what = target.build, f"target {target.name}"
    match build:
        case CargoBuild():
            if installed("cargo"):
                yield ok(what, f"source in {build.source}")
            else:
                mend = "install rustup (https://rustup.rs)"
                yield bad(what, "it is built by cargo, which is not installed", mend)
        case CommandBuild():
            if installed(build.argv[0]) or (build.source and (build.source / build.argv[0]).exists()):
                yield ok(what, f"source in {build.source}, built by {build.argv[0]}")
            else:
                yield bad(what, f"its build command `{build.argv[0]}` is not installed")


def _profilers(loaded: Loaded) -> Iterator[Line]:
    for name in dict.fromkeys(name for names in loaded.experiment.profilers for name in names):
        for target in loaded.targets.values():
            capability = profilers.REGISTRY[name].capability(target)
            if capability.level != "ok":
                yield note(f"{name}, {target.name}", f"{capability.level}: {capability.reason}")


def missing(needs: Iterable[Need]) -> list[Line]:
    """For whoever only looks at files: programs that are called and are not here. Another machine may measure."""
    return [note(need.of, _missing(need)) for need in needs if not need.here]


def _missing(need: Need) -> str:
    match need.role:
        case "built with":
            return f"`{need.program}` is not on PATH here, and it is built with it: {need.mend}"
        case "asked":
            return f"{need.program} is not on PATH here, and could not be asked how it reads this load"
    where = "is not there" if "/" in need.program else "is not on PATH here"
    return f"`{need.program}` {where}: the machine that measures needs it"
