"""`fuselab new`: a commented experiment that runs as it is."""

from __future__ import annotations

from pathlib import Path

import click

from fuselab.commands import completing
from fuselab.commands.common import fail, repository, shorter


@click.command("new")
@click.argument("name")
@click.option(
    "--target", "-t", metavar="TARGET", shell_complete=completing.targets, help="A folder below targets/."
)
@click.option("--stdout", is_flag=True, help="Print it instead of writing experiments/NAME.yaml.")
def command(name: str, target: str | None, stdout: bool) -> None:
    """Write experiments/NAME.yaml: a commented experiment on TARGET that runs as it is."""
    from fuselab import profilers
    from fuselab.commands.editors import write
    from fuselab.commands.sealed import checked_name, for_editors
    from fuselab.commands.template import experiment_text
    from fuselab.schema.reading import target_names
    from fuselab.targets.loading import load_target

    root = repository()
    if target is None:
        fail(f"say which target with --target (there are: {', '.join(target_names(root))})")
    checked_name(name)
    file = Path("experiments") / f"{name}.yaml"
    text = for_editors(root, file, experiment_text(name, load_target(target, root, profilers.REGISTRY)))
    if stdout:
        click.echo(text, nl=False)
        return
    path = root / file
    if path.exists():
        fail(f"{shorter(path)} is there already")
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    write(root)
    click.echo(f"wrote {shorter(path)}\nnext:  fuselab plan {name}\n       fuselab run {name}")
