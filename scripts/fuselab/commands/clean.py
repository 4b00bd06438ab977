"""`fuselab clean`: what is no longer needed, and its removal."""

from __future__ import annotations

import datetime
import shutil
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fuselab.commands.common import fail, print_json, repository
from fuselab.project import experiment_file, experiments
from fuselab.words import size

if TYPE_CHECKING:
    from fuselab.experiment.loading import Loaded
    from fuselab.experiment.plan import Plan
    from fuselab.workflow.cleanup import Leftover
    from fuselab.workflow.nights import Nights


@click.command("clean")
@click.option("--yes", is_flag=True, help="Remove what is listed.")
@click.option("--json", "as_json", is_flag=True, help="Print the list as JSON.")
def command(yes: bool, as_json: bool) -> None:
    """List what no experiment asks for any more and what killed runs left; with --yes, remove it.

    Measurements of experiments whose file is broken or gone are kept. Of nights that are kept the blocks and captures
    go: their figures, their stacks and their spans added up stay in history/. A night that goes on keeps what it has.
    """
    from fuselab.system import tracing
    from fuselab.workflow.cleanup import all_leftovers, remove, unmarked_states
    from fuselab.workflow.stale_locks import alone

    root = repository()
    plans, broken, nights = _plans(root)
    with alone(root) as may:
        if yes and not may:
            fail(
                "a snakemake is running here: what looks left over may be in use; try again when it has ended"
            )
        found = all_leftovers(plans, broken, root, nights)
        if as_json:
            print_json(found)
        else:
            _list(found, broken)
            for fault in (fault for each in nights.values() for fault in each.faults):
                click.echo(f"{fault}: what was measured on that night stays")
            for path in unmarked_states(root):
                click.echo(
                    f"{path} has no mark of fuselab's: if an older version left it, remove it yourself"
                )
            for path in tracing.dead():
                click.echo(f"{path} is of a run that was killed: the next run removes it, or --yes")
        if yes:
            tracing.sweep()
            for leftover in remove(found, root):
                click.echo(f"removed {leftover.path}", err=as_json)
        elif found and not as_json:
            click.echo("Nothing is removed yet: fuselab clean --yes")


def _plans(root: Path) -> tuple[dict[str, Plan], dict[str, str], dict[str, Nights]]:
    """Plans by experiment, why others have none, in words that go on from the file's name, and the nights of each."""
    from fuselab.experiment.loading import load_experiment
    from fuselab.experiment.planning import make_plan
    from fuselab.schema.errors import ExperimentErrors

    plans: dict[str, Plan] = {}
    broken: dict[str, str] = {}
    nights: dict[str, Nights] = {}
    for name in experiments(root):
        path = experiment_file(root, name)
        try:
            loaded = load_experiment(path, root)
            plan = make_plan(loaded)
        except ExperimentErrors:
            broken[path.stem] = f"cannot be read (fuselab check {path.stem})"
            continue
        if why := _unknown(plan):
            broken[path.stem] = why
        else:
            plans[path.stem] = plan
            nights[path.stem] = _nights(root, loaded)
    return plans, broken, nights


def _nights(root: Path, loaded: Loaded) -> Nights:
    from fuselab.experiment.planning import make_plan
    from fuselab.records.places import Results
    from fuselab.workflow.cleanup import named_paths
    from fuselab.workflow.nights import going_on, nights_of, of_night

    home = Results(root).experiment(loaded.experiment.name)
    if not home.folder.is_dir():
        return nights_of(home, ())
    last = going_on(home, str(datetime.date.today()))
    return nights_of(
        home, (root / path for night in last for path in named_paths(make_plan(of_night(loaded, night))))
    )


def _unknown(plan: Plan) -> str | None:
    """Why nobody can say here which measurements `plan` asks for: that depends on its programs."""
    for request in plan.builds.values():
        if request.kind == "cargo" and not request.toolchain:
            return "is compiled with rustc, which is not found here"
        if request.kind == "installed" and shutil.which(request.binary) is None:
            return f"mounts `{request.binary}`, which is not found here"
    return None


def _list(found: list[Leftover], broken: dict[str, str]) -> None:
    by_reason: dict[str, list[Leftover]] = defaultdict(list)
    for leftover in found:
        by_reason[leftover.why].append(leftover)
    for why, group in by_reason.items():
        click.echo(f"{why} ({size(sum(leftover.bytes for leftover in group))}):")
        for leftover in group:
            click.echo(f"  {leftover.path}")
    for name, why in broken.items():
        click.echo(f"experiments/{name}.yaml {why}: its results and all builds are kept")
    total = size(sum(leftover.bytes for leftover in found))
    click.echo(f"{total} in all" if found else "nothing is left over")
