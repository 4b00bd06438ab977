"""`fuselab check`: what is wrong with experiments, targets and services."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from fuselab import foreign
from fuselab.commands import completing
from fuselab.commands.common import fail, faults, located, print_json, repository, shorter
from fuselab.project import project_around
from fuselab.schema.errors import ExperimentErrors, Problem

if TYPE_CHECKING:
    from fuselab.doctor.base import Line


@click.command("check")
@click.argument("files", nargs=-1, metavar="[FILE|NAME]...", shell_complete=completing.experiments)
@click.option("--json", "as_json", is_flag=True, help="Print the faults as JSON.")
@click.option(
    "--fix", "fixing", is_flag=True, help="Write what was surely meant into the file, and show the change."
)
def command(files: tuple[str, ...], as_json: bool, fixing: bool) -> None:
    """Say what is wrong with experiments, targets and services; all of them without a FILE.

    Nothing is built or run. The exit code is 1 if anything is wrong. A program that is called and is not on this
    machine is a note: another machine may measure.

    With --fix, what can be meant in one way only is put right in the file: slips with one name near, units, tabs, a
    missing space, the shape of a value. Comments and layout stay, and what may be meant otherwise is left to you.
    """
    from fuselab.commands.editors import write

    paths = [located(written) for written in files] or every_file(repository())
    wrong: dict[Problem, None] = {}
    notes: dict[Line, None] = {}
    if fixing and as_json:
        fail("--fix shows a change for people, and --json is for programs: keep one of them")
    for root, path in paths:
        if fixing:
            _fix(root, path)
        problems, lines = look_at(path, root)
        wrong |= dict.fromkeys(problems)
        notes |= dict.fromkeys(lines)
        if not problems and not as_json:
            click.echo(f"{click.style('ok', fg='green')}  {shorter(path)}")
    for root in {root for root, _ in paths if project_around(root) == root}:
        write(root)  # for editors, which so know what was added
    for line in () if as_json else notes:
        click.echo(line)
    if as_json:
        print_json(list(wrong))
    elif wrong:
        click.echo(faults(wrong))
        count = "1 fault" if len(wrong) == 1 else f"{len(wrong)} faults"
        left = ", which may be meant in more than one way: yours to mend" if fixing else ""
        click.echo(f"\n{click.style(count, fg='red')}{left}", err=True)
    raise SystemExit(1 if wrong else 0)


def _fix(root: Path, path: Path) -> None:
    """Mend a file, and show what was changed in it."""
    from fuselab.commands.fixing import fix
    from fuselab.schema.reading import shown

    if not path.is_file():
        return
    mine = shown(path, root)
    fixed = fix(path, lambda: [problem for problem in look_at(path, root)[0] if problem.file == mine])
    for line in fixed.diff:
        colour = {"-": "red", "+": "green"}.get(line[:1])
        click.echo(click.style(foreign.plain(line), fg=colour))
    if fixed.count:
        click.echo(f"mended in {shorter(path)}: {fixed.count}")


def every_file(root: Path) -> list[tuple[Path, Path]]:
    """The project's own, each as `located` gives it."""
    patterns = ("experiments/*.yaml", "targets/*/target.yaml", "services/*.yaml")
    return [(root, path) for pattern in patterns for path in sorted(root.glob(pattern))]


def look_at(path: Path, root: Path | None = None) -> tuple[tuple[Problem, ...], list[Line]]:
    """What is wrong, and notes where nothing is. `root` is the project, that around the file without it.

    `target.yaml` is a target, a file below `services/` a service, any other an experiment.
    """
    from fuselab import profilers
    from fuselab.doctor.experiment import (
        cut_short,
        missing,
        obstacles,
        replaced_filters,
        too_few_blocks,
        unfitting,
        unfitting_checkout,
    )
    from fuselab.experiment.loading import load_experiment
    from fuselab.experiment.needs import needs_of, needs_of_target
    from fuselab.targets.loading import load_target
    from fuselab.targets.services import load_service

    root = root or repository(path)
    place = path.resolve()
    try:
        if place.name == "target.yaml":
            target = load_target(place.parent.name, place.parents[2], profilers.REGISTRY)
            return (), [*missing(needs_of_target(target)), *unfitting_checkout(target)]
        if place.parent == root / "services":
            load_service(place.stem, root)
            return (), []
        loaded = load_experiment(path, root)
        e = loaded.experiment
        here = [*missing(needs_of(loaded)), *unfitting(loaded), *obstacles(e)]
        return (), [*here, *replaced_filters(loaded), *too_few_blocks(e), *cut_short(path)]
    except ExperimentErrors as errors:
        return errors.problems, []
