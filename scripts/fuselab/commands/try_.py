"""`fuselab try`: any FUSE command line against the bare directory, without a line of YAML."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

import click

from fuselab.commands.common import fail, repository, shorter


@click.command("try", context_settings={"ignore_unknown_options": True})
@click.option("--name", metavar="NAME", help="Name of the target and the experiment; try-PROGRAM without it.")
@click.option(
    "--blocks", default=12, show_default=True, type=click.IntRange(min=1), help="How often both are timed."
)
@click.option(
    "--runtime", "runtime_s", default=3, show_default=True, type=click.IntRange(min=1), metavar="S",
    help="Seconds of load in each run.",
)  # fmt: skip
@click.option(
    "--prepare",
    "preparations",
    multiple=True,
    metavar="CMD",
    help="Run before the mount, in each run: mkfs, a configuration. {state} stands for its folder. May be repeated.",
)
@click.option("--only-write", is_flag=True, help="Write the files and run nothing.")
@click.argument("argv", nargs=-1, required=True, metavar="-- ARGV...", type=click.UNPROCESSED)
def command(
    name: str | None,
    blocks: int,
    runtime_s: int,
    preparations: tuple[str, ...],
    only_write: bool,
    argv: tuple[str, ...],
) -> None:
    """Mount any FUSE command line, compare it with the bare directory, profile it, and write the report.

    ARGV must stay in the foreground (often -f) and say {mountpoint} where it mounts; {state} is an empty folder
    on the disk, new for each run, for its data:

        fuselab try -- bindfs -f {state} {mountpoint}

    The command line runs again whenever it is mounted again, on the data that is there: what makes the store (mkfs, a
    key, a configuration) is a --prepare:

        fuselab try --prepare 'mkdir {state}/data' -- myfs {state}/data {mountpoint}

    The target.yaml and the experiment that it writes are yours to change.
    """
    from fuselab.commands.live import measure
    from fuselab.commands.scaffold import from_here, make_scaffold, notes
    from fuselab.errors import ScaffoldError
    from fuselab.experiment.loading import load_experiment
    from fuselab.experiment.planning import make_plan
    from fuselab.records.places import Results
    from fuselab.workflow.last_words import last_words

    root = repository()
    argv = from_here(argv)
    prepare = tuple(_words(text) for text in preparations)
    scaffold = make_scaffold(argv, name, blocks, runtime_s, prepare)
    for program in (argv[0], *(words[0] for words in prepare)):
        if shutil.which(program) is None:
            raise ScaffoldError(f"`{program}` is not installed, or not on PATH")
    written = scaffold.write(root)
    for path in written:
        click.echo(f"wrote {shorter(path)}")
    for note in (*scaffold.left_out, *notes(argv)):
        click.echo(f"note: {note}")
    loaded = load_experiment(root / scaffold.experiment, root)
    if only_write:
        click.echo(f"next: fuselab run {scaffold.name}")
        return
    home = Results(root).experiment(scaffold.name)
    why = measure(root, {scaffold.name: make_plan(loaded)})
    look = f"To look at the mount by hand: fuselab hold {scaffold.name} --variant {scaffold.variant}"
    if why:
        fail(f"{why}\n{look}")
    if reasons := _failures(home.comparisons):
        click.echo(f"the report: {home.report}")
        fail("\n".join([*reasons, look]))
    click.echo("\n".join(last_words(home)))


def _words(text: str) -> tuple[str, ...]:
    """The argument list of a --prepare. Raises ScaffoldError for what is none."""
    from fuselab.errors import ScaffoldError

    try:
        words = tuple(shlex.split(text))
    except ValueError as error:
        raise ScaffoldError(f"--prepare '{text}': {error}") from None
    if not words:
        raise ScaffoldError("--prepare '' is no command")
    return words


def _failures(comparisons: Path) -> list[str]:
    """Why variants failed, each reason once: the report is made all the same."""
    from fuselab.records.comparison import Comparison
    from fuselab.records.table import read_rows

    failed = [row for row in read_rows(comparisons, Comparison) if row.verdict == "failed"]
    return list(dict.fromkeys(f"{row.variant} {row.note}" for row in failed))
