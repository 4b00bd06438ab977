"""`fuselab plan`: what an experiment will build, run and take, and what it can find."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from fuselab import foreign
from fuselab.commands.common import console, load, print_json

if TYPE_CHECKING:
    from fuselab.experiment.plan import Plan
    from fuselab.workflow.estimate import Estimate


@click.command("plan")
@click.argument("file", metavar="FILE|NAME")
@click.option("--json", "as_json", is_flag=True, help="Print the forecast as JSON.")
def command(file: str, as_json: bool) -> None:
    """Say what an experiment has, what it still takes, and what size of change it can find. Runs nothing."""
    from fuselab.doctor.experiment import missing
    from fuselab.experiment.needs import needs_of
    from fuselab.experiment.planning import make_plan
    from fuselab.workflow.estimate import estimate

    root, loaded = load(file)
    plan = make_plan(loaded)
    found = estimate(plan, root)
    notes = missing(needs_of(loaded))
    if as_json:
        totals = {"seconds": found.seconds, "bytes": found.bytes}
        print_json({"forecast": found, **totals, "skipped": plan.skipped, "notes": notes})
    else:
        _show(plan, found)
        for line in notes:
            click.echo(line)


def _show(plan: Plan, found: Estimate) -> None:
    from rich.table import Table
    from rich.text import Text

    from fuselab.words import duration, percent, size

    out = console()
    e = plan.experiment
    out.print(Text(e.name, style="bold"), Text(f": {foreign.name(e.title)}" if e.title else ""), sep="")
    names = ", ".join(f"{v.name} (A/A)" if v.control else v.name for v in e.variants)
    out.print(f"variants: {names}\n")
    table = Table(box=None, pad_edge=False)
    for column in ("", "", "done", "each", "to go"):
        table.add_column(column, justify="left" if not column else "right", overflow="fold")
    for part in found.parts:
        each = "unknown" if part.seconds_each is None else duration(part.seconds_each)
        about = "" if part.measured or part.seconds_each is None else "~"
        left = (
            "-"
            if not part.left
            else "?"
            if part.seconds_each is None
            else duration(part.left * part.seconds_each)
        )
        table.add_row(part.what, part.name, f"{part.done} of {part.wanted}", f"{about}{each}", left)
    out.print(table)
    for skipped in plan.skipped:
        out.print(f"not possible: {skipped.variant}, {skipped.profiler}: {skipped.capability.reason}")
    out.print()
    if not any(part.left for part in found.parts):
        out.print("Everything is measured: only the report may be made again.")
    else:
        unknown = (
            f", and {len(found.unknown)} parts whose time no run here tells yet" if found.unknown else ""
        )
        out.print(f"To go: about {duration(found.seconds)}{unknown}; {size(found.bytes)} on disk.")
    if e.blocks == "auto":
        out.print("Blocks are looked at after 12, 20 and 32, and may stop at the first that decides.")
    for find in found.findable:
        change = (
            "none, whatever its size: it takes more blocks, or fewer comparisons"
            if find.change is None
            else f"a change of {percent(find.change, 1)} or more"
        )
        out.print(f"Found in four of five such experiments {find.machine}: {change}.")
    if found.stale:
        total = size(sum(leftover.bytes for leftover in found.stale))
        out.print(
            f"\nNo longer asked for ({total}; found again if the edit is undone, removed by `fuselab clean`):"
        )
        for leftover in found.stale:
            out.print(f"  {leftover.path}")
