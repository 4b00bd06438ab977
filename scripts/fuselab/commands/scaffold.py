"""`fuselab try`: from a FUSE command line to a target.yaml and an experiment, as a person would write them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fuselab.commands.sealed import checked_name, write_sealed
from fuselab.errors import ScaffoldError
from fuselab.schema.diagnostics import flow, near
from fuselab.targets.model import Installed, MountTemplate, Target, is_shell
from fuselab.targets.placeholders import RUN

MOUNTPOINT = "{mountpoint}"
STATE = "{state}"


@dataclass(frozen=True)
class Scaffold:
    """Both files, by their paths relative to the repository."""

    name: str
    target: Path
    target_text: str
    experiment: Path
    experiment_text: str
    variant: str
    """The one that mounts."""
    left_out: tuple[str, ...] = ()
    """Profilers that the program cannot have, each with the reason."""

    def write(self, root: Path) -> list[Path]:
        """Write both files, also over those of an earlier call. Raises ScaffoldError for what somebody has edited."""
        written = {self.target: self.target_text, self.experiment: self.experiment_text}
        return write_sealed(root, written, "fuselab try")


def make_scaffold(
    argv: tuple[str, ...],
    name: str | None,
    blocks: int,
    runtime_s: int,
    prepare: tuple[tuple[str, ...], ...] = (),
) -> Scaffold:
    """The files for `argv`, which mounts at its `{mountpoint}`. Raises ScaffoldError for what cannot work."""
    _check(argv)
    for words in prepare:
        _check_placeholders(words)
    program = Path(argv[0]).name
    variant = re.sub(r"[^A-Za-z0-9_.-]+", "-", program).strip("-.") or "mounted"
    name = checked_name(name or re.sub(r"[^A-Za-z0-9_.-]+", "-", f"try-{program}").strip("-")[:64])
    looking, left_out = _profilers(name, argv[0])
    return Scaffold(
        name=name,
        target=Path("targets") / name / "target.yaml",
        target_text=_target_text(name, argv, prepare),
        experiment=Path("experiments") / f"{name}.yaml",
        experiment_text=_experiment_text(name, program, variant, blocks, runtime_s, looking),
        variant=variant,
        left_out=left_out,
    )


def from_here(argv: tuple[str, ...]) -> tuple[str, ...]:
    """`argv` with the paths that are meant from the caller's folder made absolute: a run has a folder of its own.

    Only what is written as a path (`./myfs`, `../data`, `build/myfs`) and is there: a bare word may mean anything.
    """
    return tuple(
        str(Path(word).absolute())
        if "/" in word and not word.startswith("/") and Path(word).exists()
        else word
        for word in argv
    )


def notes(argv: tuple[str, ...]) -> Iterator[str]:
    """What the writer of a command line may not have meant."""
    if not any(STATE in word for word in argv):
        yield (
            "the load writes through the mount into whatever is behind it, and what it writes stays there; with "
            f"{STATE} as the place of the data every run gets an empty folder of its own"
        )
    if is_shell(argv):
        yield (
            f"`{' '.join(argv[:2])}` runs all of its text again when it is mounted again, on the data that is there: "
            "what makes the store is a --prepare"
        )


def _profilers(name: str, program: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Those that can look at `program`, and a sentence for each that cannot."""
    from fuselab import profilers

    target = Target(name, Path(), "", Installed(program), MountTemplate(()))
    capabilities = {profiler.name: profiler.capability(target) for profiler in profilers.from_outside()}
    can = tuple(each for each, capability in capabilities.items() if capability.level != "unavailable")
    return can, tuple(
        f"{each} is left out: {capability.reason}"
        for each, capability in capabilities.items()
        if each not in can
    )


def _check(argv: tuple[str, ...]) -> None:
    _check_placeholders(argv)
    if not any(MOUNTPOINT in word for word in argv):
        example = " ".join(["fuselab try --", *argv, MOUNTPOINT])
        raise ScaffoldError(f"say with {MOUNTPOINT} where the command line mounts, as in: {example}")


def _check_placeholders(argv: tuple[str, ...]) -> None:
    known = sorted(RUN - {"binary", "capture", "port"})
    for word in argv:
        for name in re.findall(r"\{([a-z_-]+)\}", word):
            if name not in known:
                close = near(name, known)
                hint = f"; did you mean {{{close}}}?" if close else ""
                raise ScaffoldError(
                    f"unknown placeholder {{{name}}}{hint} (there are {{mountpoint}} and {{state}})"
                )


def _target_text(name: str, argv: tuple[str, ...], prepare: tuple[tuple[str, ...], ...]) -> str:
    words = ["{binary}", *argv[1:]]
    prepared = f"\n  prepare: {flow([list(step) for step in prepare])}" if prepare else ""
    return f"""\
# yaml-language-server: $schema=../../.fuselab/schema/target.schema.json
# Written by `fuselab try`. docs/bring-your-filesystem.md says what else can stand here.
name: {name}
build:
  installed: {{binary: {flow(argv[0])}}}
mount:
  # {{mountpoint}} is where it mounts, {{state}} an empty folder on the disk, new for each run.
  argv: {flow(words)}{prepared}
"""


def _experiment_text(
    name: str, program: str, variant: str, blocks: int, runtime_s: int, looking: tuple[str, ...]
) -> str:
    from fuselab import profilers

    together = [each for each in profilers.accounting_requests() if each in looking]
    alone = [each for each in looking if each not in together]
    return f"""\
# yaml-language-server: $schema=../.fuselab/schema/experiment.schema.json
# Written by `fuselab try`: {program} against the bare directory. Change it, and run it again with
# `fuselab run {name}`.
name: {name}
title: What does {program} cost, against the bare directory?

variants:
  directory: {{target: directory}}
  {flow(variant)}: {{target: {name}}}

workloads:
  seq-write:
    fio: {{rw: write, bs: 128k, size: 64m, runtime: {runtime_s}s}}

blocks: {blocks}

# perf needs nothing; a heap profile comes from a preloaded jemalloc. Those of the inner list look at one run together,
# and so say where the time of each request is.
profilers: {flow([together, *alone] if len(together) > 1 else [*together, *alone])}

compare:
  primary: [write.bw]
  threshold: 5%
"""
