"""`fuselab run`: measure experiments, say how far that has come, and end with the verdicts. Snakemake does the work."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fuselab.commands import completing
from fuselab.commands.cluster import CLUSTERS, require_answer, require_cluster
from fuselab.commands.common import fail, load

if TYPE_CHECKING:
    from fuselab.experiment.plan import Plan


@click.command("run")
@click.argument(
    "names", nargs=-1, required=True, metavar="NAME|FILE...", shell_complete=completing.experiments
)
@click.option("--on", type=click.Choice(CLUSTERS), help="Measure on the nodes of a cluster: docs/cluster.md.")
def command(names: tuple[str, ...], on: str | None) -> None:
    """Measure experiments as far as that is not done, and write their reports.

    NAME is that of an experiment, of its file or of its folder of results. It is Snakemake below:
    `snakemake --cores all results/NAME/report.html` makes the same.

    On a terminal one line says what is made, how long the rest will take, how many blocks the machine was too busy for,
    and the ratio so far; seeing it changes nothing of when a verdict falls. Elsewhere each step is a line. The first
    failure that leaves a report out ends it, and so does one that leaves nothing to compare.

    Exit code: 0 all is measured; 1 something failed, or a variant did; 130 or 143 it was stopped, and the same call
    goes on from there.
    """
    from fuselab.commands.live import measure
    from fuselab.experiment.planning import make_plan

    if on:
        require_cluster(on)
    roots: dict[Path, dict[str, Plan]] = {}
    for name in names:
        root, loaded = load(name)
        roots.setdefault(root, {})[loaded.experiment.name] = make_plan(loaded)
    if len(roots) > 1:
        fail(f"these experiments are of several projects: {', '.join(map(str, roots))}")
    (root, plans), *_ = roots.items()
    if on:
        require_answer(root)
    if why := measure(root, plans, on):
        fail(why)
    sys.exit(end(root, list(plans)))


def end(root: Path, names: list[str]) -> int:
    """Say what came of the experiments `names`, and give the exit code."""
    from fuselab.commands.ending import WORSE
    from fuselab.files import read_json
    from fuselab.records.comparison import FAILED
    from fuselab.records.places import Results
    from fuselab.records.summary import Summary
    from fuselab.workflow.last_words import last_words

    homes = [Results(root).experiment(name) for name in names]
    for home in homes:
        click.echo("\n".join(last_words(home)))
    summaries = [read_json(home.summary, Summary) for home in homes]
    failed = (row.verdict == FAILED for summary in summaries for row in summary.comparisons)
    return WORSE if any(summary.failures for summary in summaries) or any(failed) else 0
