"""What one experiment needs beyond what all do: programs, sources, what profilers can see."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from fuselab import profilers
from fuselab.compare.multiple_testing import least_blocks
from fuselab.compare.schedule import level_of, minimum_blocks
from fuselab.doctor.base import Line, bad, note, ok
from fuselab.experiment.design import family
from fuselab.experiment.fitting import misfit, misfits
from fuselab.experiment.loading import Loaded
from fuselab.experiment.log_filters import replaced_in
from fuselab.experiment.looking import looking_at_targets
from fuselab.experiment.model import Experiment
from fuselab.experiment.needs import Need, needs_of
from fuselab.programs import installed, made_by
from fuselab.targets.model import CargoBuild, CommandBuild, Target


def needs(loaded: Loaded) -> Iterator[Line]:
    # Programs that fuselab itself calls have their lines already.
    yield from (
        _program(need)
        for need in needs_of(loaded)
        if need.role in ("built with", "called", "counts", "verifies")
    )
    for target in loaded.targets.values():
        yield from _source(target)
    yield from _profilers(loaded)
    yield from unfitting(loaded)
    yield from replaced_filters(loaded)
    yield from too_few_blocks(loaded.experiment)
    if loaded.experiment.network == "host":
        yield note(
            "network", "host: ports are shared with this machine, and other traffic is not kept out of runs"
        )


def _program(need: Need) -> Line:
    from fuselab.doctor.tools import version_of

    if need.here:
        return ok(need.of, (version_of(need.version) if need.version else None) or need.program)
    if need.role == "built with":
        return bad(need.of, f"it is built with `{need.program}`, which is not installed", need.mend)
    if need.role == "counts":
        return note(need.of, f"{_uncounted(need)}: {need.mend}")
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
    loads = loaded.experiment.workloads
    commands = {load.name: load.program for load in loads if load.looks_at == "command"}
    for name in dict.fromkeys(name for names in loaded.experiment.profilers for name in names):
        profiler = profilers.REGISTRY[name]
        targets = loaded.targets.values() if looking_at_targets(loads) else ()
        able = {target.name: profiler.capability(target) for target in targets}
        able |= {load: profiler.capability_of_command(program) for load, program in commands.items()}
        for of, capability in able.items():
            if capability.level != "ok":
                yield note(f"{name}, {of}", f"{capability.level}: {capability.reason}")


def obstacles(experiment: Experiment) -> Iterator[Line]:
    """Profilers that can look at nothing here, as far as that is known without starting anything."""
    for name in dict.fromkeys(name for names in experiment.profilers for name in names):
        event = profilers.REGISTRY[name].kernel_event
        if event and (obstacle := event.obstacle()):
            yield note(f"profiler {name}", f"unavailable on this machine: {obstacle.reason}", obstacle.mend)


def unfitting(loaded: Loaded) -> Iterator[Line]:
    """Revisions that a target's file is not known to fit."""
    yield from (_unfitting(name, why) for name, why in misfits(loaded))


def unfitting_checkout(target: Target) -> Iterator[Line]:
    """The same of a target without an experiment: of its checkout as it is."""
    if why := misfit(target):
        yield _unfitting(target.name, f"its checkout: {why}")


def _unfitting(target: str, why: str) -> Line:
    return note(f"target {target}", why, "where it does all the same, say so in `fits`")


def too_few_blocks(experiment: Experiment) -> Iterator[Line]:
    """A design that no clock can decide, whatever happens: what is counted and captured says something all the same."""
    if not experiment.contrasts or experiment.blocks == "auto":
        return
    mend = "12 decide most questions, and with `auto` it goes on until it is decided"
    least = minimum_blocks(level_of(experiment.blocks))
    if experiment.blocks < least:
        text = f"{experiment.blocks} can tell nothing faster or slower: an interval takes {least}"
        yield note("blocks", text, mend)
        return
    together = family(experiment)
    if experiment.blocks < (least := least_blocks(together, experiment.blocks)):
        none = f"{experiment.blocks} decide none of {together} comparisons, however large the differences are"
        yield note("blocks", f"{none} ({least} might)", mend)


def replaced_filters(loaded: Loaded) -> Iterator[Line]:
    """Profilers that will record nothing, because a variant's own log filter holds."""
    for variant, replaced in replaced_in(loaded):
        mend = f"leave {replaced.variable} out of the variant's `env`, or add {replaced.lacking} to it"
        yield note(f"variant {variant}", str(replaced), mend)


_CUT = re.compile(r"\s*(?:- +)?([\w.-]+): +([^\s\"'#\[{&*|>!][^#]*?) +#[^\s#].*")


def cut_short(path: Path) -> Iterator[Line]:
    """Values of the file that go on, to a person, where a comment begins, to YAML: `title: is #12 slower`."""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if match := _CUT.fullmatch(line):
            text = f"the value of '{match[1]}' is '{match[2]}', for a '#' behind a space begins a comment"
            yield note(f"line {number}", text, "quote the whole, or put a space behind the '#'")


def missing(needs: Iterable[Need]) -> list[Line]:
    """For whoever only looks at files: programs that are called and are not here. Another machine may measure."""
    return [note(need.of, _missing(need)) for need in needs if not need.here]


def _missing(need: Need) -> str:
    match need.role:
        case "built with":
            return f"`{need.program}` is not on PATH here, and it is built with it: {need.mend}"
        case "asked":
            return f"{need.program} is not on PATH here, and could not be asked how it reads this load"
        case "counts":
            return _uncounted(need)
        case "verifies":
            return f"`{need.program}` is not installed here, and variants are verified by it: {need.mend}"
    where = "is not there" if "/" in need.program else "is not on PATH here"
    if made := made_by(need.program):
        return f"`{need.program}` is not installed here, and the machine that measures needs it: {made}"
    return f"`{need.program}` {where}: the machine that measures needs it"


def _uncounted(need: Need) -> str:
    return f"`{need.program}` is not on PATH here: without it, what it would tell of counters is unavailable"
