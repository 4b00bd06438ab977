"""`fuselab gate`: may this be merged? By the guards that an experiment states, in an exit code and a few words."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fuselab.commands import completing
from fuselab.commands.common import fail, load
from fuselab.commands.ending import COULD_NOT, ending, notify
from fuselab.commands.following import make

if TYPE_CHECKING:
    from fuselab.experiment.loading import Loaded
    from fuselab.records.summary import Summary

_STDERR = 2


@click.command("gate")
@click.argument("experiment", shell_complete=completing.experiments)
@click.option(
    "--comment", "file", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
    help="Write the words for a pull request there instead of standard output; without words there is no file.",
)  # fmt: skip
@click.option("--strict", is_flag=True, help="Exit with 2 where a guard could not be told.")
def command(experiment: str, file: Path | None, strict: bool) -> None:
    """Measure EXPERIMENT as far as that is not done, and hold it against its `guard`.

    Standard output has Markdown for a pull request, and nothing where nothing has changed for sure; what else is to be
    said goes to standard error.

    Exit code: 0 no guard is broken, or what is broken is accepted; 1 one is, or a variant failed; 2 could not tell
    (with --strict); 3 it could not be measured.
    """
    from fuselab.files import read_json
    from fuselab.records.places import Results
    from fuselab.records.summary import Summary
    from fuselab.report.comment import comment
    from fuselab.schema.errors import ExperimentErrors

    if file is not None:
        if not file.parent.is_dir():
            fail(f"--comment {file}: there is no folder {file.parent}", COULD_NOT)
        file.unlink(missing_ok=True)  # that of an earlier call says nothing of this one
    try:
        root, loaded = load(experiment)
    except ExperimentErrors as errors:
        fail(f"cannot be measured:\n{errors}", COULD_NOT)
    if not loaded.experiment.guard:
        fail(f"{loaded.experiment.path} states no guard: write, say,\n    {_example(loaded)}", COULD_NOT)
    home = Results(root).experiment(loaded.experiment.name)
    if make(root, home.report.relative_to(root), output=_STDERR) != 0:
        fail("the experiment did not finish", COULD_NOT)
    summary = read_json(home.summary, Summary)
    for line in said(summary):
        click.echo(line, err=True)
    words = comment(summary)
    if words and file is not None:
        file.write_text(words)
    elif words:
        click.echo(words)
    notify(loaded.experiment.notify, home.summary, root)
    sys.exit(exit_code(summary, strict))


def exit_code(summary: Summary, strict: bool) -> int:
    """A control that differs leaves open whether any guard was broken by its variant; but broken it is."""
    from fuselab.records.comparison import FAILED, UNTOLD
    from fuselab.report.comment import changed

    open_ = [guard for guard in summary.guards if guard.outcome == UNTOLD and not guard.accepted]
    failed = any(row.verdict == FAILED for row in changed(summary))
    return ending(
        worse=failed or any(guard.broken for guard in summary.guards),
        undecided=bool(open_ or summary.alarms or not summary.guards),
        strict=strict,
    )


def said(summary: Summary) -> Iterator[str]:
    """One line for each guard, behind what must be read before."""
    yield from summary.alarms
    for guard in summary.guards:
        yield guard.sentence.replace("`", "")


def _example(loaded: Loaded) -> str:
    from fuselab.schema.diagnostics import flow

    return f"guard: {flow(dict.fromkeys(loaded.experiment.compare.primary[:1], '5%'))}"
