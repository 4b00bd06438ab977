"""`fuselab new`: a commented experiment that runs as it is."""

from __future__ import annotations

import re

import click

from fuselab.commands.common import fail, repository, shorter
from fuselab.schema.schemas import schema


@click.command("new")
@click.argument("name")
@click.option("--target", "-t", metavar="TARGET", help="A folder below targets/.")
@click.option("--stdout", is_flag=True, help="Print it instead of writing experiments/NAME.yaml.")
def command(name: str, target: str | None, stdout: bool) -> None:
    """Write experiments/NAME.yaml: a commented experiment on TARGET that runs as it is."""
    from fuselab import profilers
    from fuselab.commands.template import experiment_text
    from fuselab.schema.reading import target_names
    from fuselab.targets.loading import load_target

    root = repository()
    if target is None:
        fail(f"say which target with --target (there are: {', '.join(target_names(root))})")
    if not re.fullmatch(schema("common")["$defs"]["name"]["pattern"], name):
        fail(f"'{name}' cannot be a name: {schema('common')['$defs']['name']['x-allowed']}")
    text = experiment_text(name, load_target(target, root, profilers.REGISTRY))
    if stdout:
        click.echo(text, nl=False)
        return
    path = root / "experiments" / f"{name}.yaml"
    if path.exists():
        fail(f"{shorter(path)} is there already")
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    click.echo(
        f"wrote {shorter(path)}\nnext:  fuselab plan {name}\n       snakemake --cores all results/{name}/report.html"
    )
