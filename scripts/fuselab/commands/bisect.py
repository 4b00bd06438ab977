"""`fuselab bisect`: which commit made it slower, or made it do more."""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING, Any

import click

from fuselab.commands import completing
from fuselab.commands.common import fail, load
from fuselab.commands.ending import COULD_NOT, UNDECIDED

if TYPE_CHECKING:
    from fuselab.commands.bisecting import Bisect, Question
    from fuselab.compare.first_bad import Belief
    from fuselab.experiment.loading import Loaded
    from fuselab.experiment.model import Variant, Workload

NOTHING = 1
"""Exit code: the ends do not differ."""


@click.command("bisect")
@click.argument("experiment", shell_complete=completing.experiments)
@click.option(
    "--good",
    required=True,
    metavar="REV",
    shell_complete=completing.revisions,
    help="A commit from before the change.",
)
@click.option(
    "--bad",
    required=True,
    metavar="REV",
    shell_complete=completing.revisions,
    help="A later one that has it.",
)
@click.option(
    "--metric", metavar="NAME", help="What changed, by the clock.  [default: the first primary one]"
)
@click.option("--counter", metavar="NAME", help="What changed, as it is counted: work.fdatasync_per_op, ...")
@click.option(
    "--workload",
    metavar="NAME",
    shell_complete=completing.workloads,
    help="Under which load; the first that has it without.",
)
@click.option(
    "--variant",
    metavar="NAME",
    shell_complete=completing.variants,
    help="How revisions are built and mounted; the baseline without it.",
)
@click.option(
    "--certainty", default="95%", show_default=True, metavar="SHARE", help="How sure is sure enough."
)
@click.option("--budget", metavar="TIME", help="Begin nothing after so long: 90m, 8h.")
def command(
    experiment: str,
    good: str,
    bad: str,
    metric: str | None,
    counter: str | None,
    workload: str | None,
    variant: str | None,
    certainty: str,
    budget: str | None,
) -> None:
    """Which commit is the first that has the change between --good and --bad?

    \b
        fuselab bisect nightly --good v1.4.0 --bad main --metric write.bw
        fuselab bisect nightly --good v1.4.0 --bad main --counter work.fdatasync_per_op

    Measures the two ends first, then commits between them, each beside the good end, until one is as sure as asked for;
    ends with the report of that commit against the one before it. The same call goes on where one was stopped.

    Exit code: 0 it is found; 1 the ends do not differ; 2 not sure enough; 3 it could not be measured.
    """
    from fuselab.errors import FuselabError
    from fuselab.schema.errors import ExperimentErrors

    try:
        sure_enough, limit_s = _share(certainty), _seconds(budget)
        asked = question(experiment, good, bad, metric, counter, workload, variant)
        code = search(asked, sure_enough, limit_s)
    except ExperimentErrors as errors:
        fail(f"cannot be measured:\n{errors}", COULD_NOT)
    except FuselabError as error:
        fail(str(error), COULD_NOT)
    sys.exit(code)


def search(asked: Question, certainty: float, limit_s: float, *, report: bool = True) -> int:
    """Measure until it is clear, saying each step; the exit code."""
    from fuselab.commands.bisecting import Bisect

    bisect = Bisect(asked)
    first, last = (asked.commits[i][:10] for i in (0, -1))
    click.echo(f"{first} to {last}: {bisect.count} commits; {asked.figure} under {asked.workload}")
    ends = bisect.ends()
    click.echo(f"the ends: {ends.words}")
    if not ends.differ:
        click.echo("nothing to find: the ends do not differ")
        return NOTHING
    while True:
        belief = bisect.belief()
        group, sure = _likeliest(bisect, belief)
        if sure >= certainty:
            break
        step = bisect.next_step(belief, ends.exact)
        if step is None or bisect.spent_s() > limit_s:
            _say_unsure(
                bisect, belief, certainty, "all that can be measured is" if step is None else "time is up"
            )
            return UNDECIDED
        bisect.measure(step.commit, bisect.blocks_of(step.commit) + step.blocks)
        _say_step(bisect, step.commit)
    _say_found(bisect, group, sure)
    return _report(bisect, group) if report else 0


def _likeliest(bisect: Bisect, belief: Belief) -> tuple[range, float]:
    from fuselab.compare.first_bad import likeliest

    return likeliest(belief, bisect.groups())


def _say_step(bisect: Bisect, commit: int) -> None:
    place = f"{bisect.described(commit)} ({commit + 1} of {bisect.count})"
    if why := bisect.stepped_over.get(commit):
        click.echo(f"stepped over {place}: {why}")
        return
    seen = sorted(bisect.seen(commit))
    typical = seen[len(seen) // 2]
    said = f"{typical:+.6g}" if bisect.question.counted else f"{100 * math.expm1(typical):+.1f} %"
    group, sure = _likeliest(bisect, bisect.belief())
    now = bisect.described(group.stop - 1) if len(group) == 1 else f"one of {len(group)} commits"
    click.echo(f"{place}: {said} in {len(seen)} {'run' if bisect.question.counted else 'block'}"
               f"{'s' * (len(seen) > 1)}; {100 * sure:.0f} % sure of {now}")  # fmt: skip


def _say_unsure(bisect: Bisect, belief: Belief, certainty: float, why: str) -> None:
    from fuselab.compare.first_bad import plausible

    among = plausible(belief, certainty)
    click.echo(
        f"not sure enough, and {why}: with {100 * certainty:.0f} % certainty it is one of these {len(among)}"
    )
    for commit in among:
        click.echo(f"  {100 * belief.first[commit]:3.0f} %  {bisect.described(commit)}")
    click.echo("the same call goes on from here")


def _say_found(bisect: Bisect, group: range, sure: float) -> None:
    sure_words = "surely" if sure > 0.9995 else f"with {100 * sure:.1f} % certainty"
    if len(group) == 1:
        click.echo(f"the first commit with the change, {sure_words}: {bisect.described(group.start)}")
        return
    click.echo(f"{sure_words} it is one of these {len(group)}, which no run can tell apart:")
    for commit in group:
        why = bisect.stepped_over.get(commit)
        click.echo(f"  {bisect.described(commit)}{f' ({why})' if why else ''}")


def _report(bisect: Bisect, group: range) -> int:
    """Of the culprit against the commit before it; of several, of the last against the one before the first."""
    from fuselab.commands.bisecting import log_end, snakemake, write_pair
    from fuselab.workflow.last_words import last_words

    pair = write_pair(bisect.question, group.start, group.stop)
    click.echo(f"measuring it against the commit before it: {pair.plan.experiment.name}")
    root = bisect.question.root
    if not snakemake(root, pair, [pair.home.report]):
        fail("\n".join(["its report could not be made; the end of", *log_end(pair)]), COULD_NOT)
    from fuselab.records.places import Results

    click.echo("\n".join(last_words(Results(root).experiment(pair.plan.experiment.name))))
    return 0


def question(
    written: str,
    good: str,
    bad: str,
    metric: str | None,
    counter: str | None,
    workload: str | None,
    variant: str | None,
) -> Question:
    """What is asked for, by the words of the command line. Raises ExperimentErrors and BisectError; writes nothing."""
    from fuselab.commands.bisecting import Question
    from fuselab.errors import BisectError
    from fuselab.experiment.line import line, subject
    from fuselab.schema.yaml_source import read_yaml
    from fuselab.workloads import quantity

    root, loaded = load(written)
    e = loaded.experiment
    if metric and counter:
        raise BisectError("what is looked for is one: --metric or --counter")
    figure = counter or metric or e.compare.primary[0]
    counted = quantity(figure).counted
    if counted != bool(counter):
        raise BisectError(f"'{figure}' is {'counted: --counter' if counted else 'timed: --metric'} {figure}")
    chosen = _variant(loaded, variant)
    load_ = _workload(loaded, workload, figure, counted)
    target = loaded.targets[chosen.target]
    data: dict[str, Any] = read_yaml(e.path, str(e.path)).data
    return Question(
        root=root,
        experiment=e.name,
        data=data,
        variant=chosen,
        workload=load_.name,
        looks_at=load_.looks_at,
        figure=figure,
        counted=counted,
        threshold=e.compare.threshold,
        commits=(commits := line(target, good, bad)),
        subjects=tuple(subject(target, commit) for commit in commits),
    )


def _variant(loaded: Loaded, name: str | None) -> Variant:
    from fuselab.errors import BisectError
    from fuselab.schema.diagnostics import hint, near

    names = [each.name for each in loaded.experiment.variants]
    if name is not None and name not in names:
        raise BisectError(
            f"there is no variant '{name}'{hint(near(name, names))} There are: {', '.join(names)}"
        )
    return loaded.experiment.variant(name or names[0])


def _workload(loaded: Loaded, name: str | None, figure: str, counted: bool) -> Workload:
    """The one that is asked for, or the first that has the figure; the first of all where none has: it will be said."""
    from fuselab.errors import BisectError
    from fuselab.experiment.checks import yields
    from fuselab.schema.diagnostics import hint, near

    loads = {each.name: each for each in loaded.experiment.workloads if each.point is None}
    if not loads or (name is not None and name not in loads):
        there = f"There are: {', '.join(loads)}" if loads else "Write one load without its 'sweep'."
        close = hint(near(name or "", list(loads)))
        raise BisectError(f"there is no load '{name or ''}' that is one point and no sweep{close} {there}")
    if name is not None:
        return loads[name]

    def has(each: Workload) -> bool:
        fixed = each.behaviour.needs_mount and each.behaviour.fixed(each.settings) is not None
        return fixed if counted else yields(each, figure)

    return next(filter(has, loads.values()), next(iter(loads.values())))


def _share(written: str) -> float:
    from fuselab.errors import BisectError
    from fuselab.schema.units import fraction

    try:
        share = fraction(written if written.endswith("%") else float(written))
    except ValueError:
        share = math.nan
    if not 0.5 <= share < 1:
        raise BisectError(f"--certainty {written}: a share from 50% to 99.99%")
    return share


def _seconds(written: str | None) -> float:
    from fuselab.errors import BisectError
    from fuselab.schema.units import seconds

    try:
        return math.inf if written is None else seconds(written)
    except ValueError:
        raise BisectError(f"--budget {written} is no duration: write it as 90m or 8h") from None
