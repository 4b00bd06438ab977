"""`fuselab plan`: what an experiment will build, run and take, and what it can find."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Sequence
from textwrap import fill
from typing import TYPE_CHECKING

import click

from fuselab import foreign
from fuselab.commands import completing
from fuselab.commands.common import console, load, print_json

if TYPE_CHECKING:
    from rich.table import Table

    from fuselab.experiment.model import Experiment
    from fuselab.experiment.plan import Plan
    from fuselab.workflow.beside import Beside
    from fuselab.workflow.detectable import Detectable
    from fuselab.workflow.estimate import Estimate, Part


_FIGURES = 46
"""Columns of a terminal that stand beside the name of a part."""
_NAME = 12
"""Columns that a name has at least."""
MOST = 6
"""How many of a kind are told one by one; of more there is one line."""


@click.command("plan")
@click.argument("file", metavar="FILE|NAME", shell_complete=completing.experiments)
@click.option("--all", "everything", is_flag=True, help="A line for each part, however many there are.")
@click.option("--json", "as_json", is_flag=True, help="Print the forecast as JSON.")
def command(file: str, everything: bool, as_json: bool) -> None:
    """Say what an experiment has, what it still takes, and what size of change it can find. Runs nothing."""
    from fuselab.doctor.experiment import missing, obstacles, unfitting
    from fuselab.experiment.needs import needs_of
    from fuselab.experiment.planning import make_plan
    from fuselab.workflow.estimate import estimate

    root, loaded = load(file)
    plan = make_plan(loaded)
    found = estimate(plan, root)
    notes = [*missing(needs_of(loaded)), *unfitting(loaded), *obstacles(loaded.experiment)]
    if as_json:
        totals = {"seconds": found.seconds, "bytes": found.bytes}
        print_json({"forecast": found, **totals, "skipped": plan.skipped, "notes": notes})
        return
    most = sys.maxsize if everything else MOST
    out = console()
    for line in decisive(plan, found, most):
        out.print(line)
    out.print()
    out.print(_parts(found.parts, most, out.width))
    for line in beside(plan, found, most):
        out.print(line)
    for note in notes:
        click.echo(note)


def decisive(plan: Plan, found: Estimate, most: int) -> Iterator[str]:
    """What one asks first: how long, what is compared, and which change that will find."""
    from fuselab.doctor.experiment import too_few_blocks
    from fuselab.experiment.design import design_of
    from fuselab.words import duration, size

    e = plan.experiment
    design = design_of(e)
    yield f"{e.name}: {foreign.name(e.title)}" if e.title else e.name
    if not any(part.left for part in found.parts):
        yield "Everything is measured: only the report may be made again."
    else:
        parts = "1 part" if len(found.unknown) == 1 else f"{len(found.unknown)} parts"
        unknown = f", and {parts} whose time no run here tells yet" if found.unknown else ""
        yield f"To go: about {duration(found.seconds)}{unknown}; {size(found.bytes)} on disk."
    names = [f"{v.name} (A/A)" if v.control else v.name for v in e.variants]
    yield f"variants: {_named(names, most)}"
    pairs = [pair for pair in design.pairs if not design.is_control(pair)]
    if not pairs:
        alone = "the baseline against itself (A/A) is all" if design.pairs else "there is one variant"
        yield f"Compares nothing: {alone}. It is looked at by {_counted(len(e.profilers), 'profiler')}."
        return
    blocks = "up to 32 blocks" if e.blocks == "auto" else _counted(e.blocks, "block")
    within = "" if e.budget_s is None else f" (`budget` of {duration(e.budget_s)})"
    yield (
        f"Compares {_counted(len(pairs), 'contrast')} under {_counted(len(design.judged), 'load')}, "
        f"by {_named(e.compare.primary, most)}, in {blocks} each{within}."
    )
    yield _turns(e)
    if too_few := [line.text for line in too_few_blocks(e)]:
        yield f"Compares nothing for sure: blocks: {too_few[0]}."
        return
    if e.blocks == "auto":
        yield "Blocks are looked at after 12, 20 and 32, and may stop at the first that decides."
    yield from _findable(found.findable, most)


def _turns(e: Experiment) -> str:
    """Which design it is, and why."""
    from fuselab.experiment.turns import refusal

    if slice_s := e.workloads[0].slice_s:
        length = f"{1000 * slice_s:g} ms"
        return f"Loads take turns of {length} (`design: slices`): what is slow about the machine lies on both sides."
    refused = ((w.name, found[0]) for w in e.workloads if (found := refusal(w, e.variants)))
    name, why = next(refused, ("", ""))
    if name:
        return f"Runs follow each other (`design: blocks`): {name} cannot take turns, for {why}."
    return "Runs follow each other (`design: blocks`, the default). All loads could take turns: `design: slices`."


def _findable(found: Sequence[Detectable], most: int) -> Iterator[str]:
    """Which change is found: in each place, or the best and the worst of many."""
    from fuselab.words import percent

    def told(find: Detectable) -> str:
        change = (
            "none, whatever its size: it takes more blocks, or fewer comparisons"
            if find.change is None
            else f"a change of {percent(find.change, 1)} or more"
        )
        return f"Found in four of five such experiments {find.machine}: {change}."

    if len(found) <= most:
        yield from map(told, found)
        return
    ordered = sorted(found, key=lambda find: math.inf if find.change is None else find.change)
    yield f"Of {len(found)} metrics and loads, where least and where most is needed:"
    yield from (f"  {told(find)}" for find in (ordered[0], ordered[-1]))


def _parts(parts: Sequence[Part], most: int, width: int) -> Table:
    from rich.table import Table

    from fuselab.words import duration

    table = Table(box=None, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")  # where it is narrow the names give way, and no figure
    for column in ("done", "each", "to go"):
        table.add_column(column, justify="right", no_wrap=True)
    for what, name, mine in _groups(parts, most):
        known = sorted(part.seconds_each for part in mine if part.seconds_each is not None)
        about = "" if all(part.measured for part in mine) else "~"
        ends = list(dict.fromkeys(duration(seconds) for seconds in (*known[:1], *known[-1:])))
        each = f"{about}{' to '.join(ends)}" if len(known) == len(mine) else "unknown"
        seconds = sum(part.left * (part.seconds_each or 0) for part in mine)
        unknown = any(part.left and part.seconds_each is None for part in mine)
        left = duration(seconds) if seconds else "" if unknown else "-"
        done = f"{sum(min(part.done, part.wanted) for part in mine)} of {sum(part.wanted for part in mine)}"
        name = fill(name, max(_NAME, width - _FIGURES), break_long_words=False)
        table.add_row(what, name, done, each, f"{left} + ?" if left and unknown else "?" if unknown else left)
    return table


def _groups(parts: Sequence[Part], most: int) -> Iterator[tuple[str, str, list[Part]]]:
    """Kinds with few parts part by part, others by what looks; captures are told apart by that."""
    kinds: dict[str, list[Part]] = {}
    for part in parts:
        kinds.setdefault(part.what, []).append(part)
    for what, mine in kinds.items():
        if len(mine) <= most:
            yield from ((what, part.name, [part]) for part in mine)
            continue
        alike: dict[str, list[Part]] = {}
        for part in mine:
            alike.setdefault(part.name.rpartition(": ")[2] if what == "captures" else "", []).append(part)
        for name, group in alike.items():
            yield what, f"{name}{': ' if name else ''}{len(group)} of them", group


def beside(plan: Plan, found: Estimate, most: int) -> Iterator[str]:
    """What else there is to know: what is not looked at or counted, and what lies there for nothing."""
    from fuselab.words import grouped, size

    impossible: dict[str, list[str]] = {}
    for skipped in plan.skipped:
        why = f"{skipped.profiler}: {skipped.capability.reason}"
        impossible.setdefault(why, []).append(skipped.variant)
    for why, variants in impossible.items():
        yield f"not possible: {_named(variants, most)}, {why}"
    yield ""
    for each in found.beside:
        yield _beside(each, most)
    for words, loads in grouped(plan.work.words).items():
        yield f"Counted of {_named(loads, most)}: {words or 'the load as it is timed'}."
    for why, loads in grouped(plan.work.left_out).items():
        yield f"Not counted of {_named(loads, most)}: {why}."
    if found.stale:
        total = size(sum(leftover.bytes for leftover in found.stale))
        yield f"\nNo longer asked for ({total}; found again if the edit is undone, removed by `fuselab clean`):"
        yield from (f"  {leftover.path}" for leftover in found.stale[:most])
        if len(found.stale) > most:
            yield f"  and {len(found.stale) - most} more"


def _beside(found: Beside, most: int) -> str:
    """`Each run of far starts and stops etcd: about 1 s, 36 s of what is to go.`"""
    from fuselab.words import duration

    does = {
        "services": f"starts and stops {found.name}",
        "ways": f"measures round trips ({found.name})",
        "drain": f"waits until it has drained ({found.name})",
    }[found.what]
    head = f"Each run of {_named(found.variants, most)} {does}"
    if found.run_s is None:
        limit = f", at most {duration(found.limit_s)} each" if found.limit_s else ""
        return f"{head}: how long that takes no run here tells yet{limit}."
    about = f"{duration(found.run_s)} here" if found.measured else f"about {duration(found.run_s)}"
    left = f", {duration(found.all_s)} of what is to go" if found.all_s else ""
    return f"{head}: {about}{left}."


def _named(names: Sequence[str], most: int) -> str:
    """`a, b, c`, or the first of many and how many more there are."""
    few = most if len(names) > most + 1 else len(names)
    return ", ".join(names[:few]) + (f" and {len(names) - few} more" if few < len(names) else "")


def _counted(count: int, noun: str) -> str:
    return f"1 {noun}" if count == 1 else f"{count} {noun}s"
