"""`fuselab hold`: mounts one variant in its rig and gives a shell there."""

from __future__ import annotations

import click

from fuselab.commands import completing
from fuselab.commands.common import fail, load
from fuselab.schema.diagnostics import hint, near


@click.command("hold", context_settings={"ignore_unknown_options": False})
@click.argument("file", metavar="FILE|NAME", shell_complete=completing.experiments)
@click.option(
    "--variant",
    "-v",
    metavar="V",
    shell_complete=completing.variants,
    help="Which variant; the baseline without it.",
)
@click.option(
    "--profiler",
    "-p",
    "wanted",
    multiple=True,
    metavar="P",
    shell_complete=completing.profilers,
    help="Switch it on; may be repeated.",
)
@click.argument("argv", nargs=-1, metavar="[-- COMMAND...]", type=click.UNPROCESSED)
def command(file: str, variant: str | None, wanted: tuple[str, ...], argv: tuple[str, ...]) -> None:
    """Mount one variant in its rig and give a shell in the mount; leave the shell, and all is taken down.

    With `-- COMMAND`, that runs instead of a shell, and its exit code is passed on.
    """
    from fuselab.commands import shell

    root, loaded = load(file)
    variants = loaded.experiment.variants
    name = _known("variant", variant or variants[0].name, [v.name for v in variants])
    plan, key = shell.plan_for(loaded, name, _profilers(wanted))
    shell.build(plan, loaded, name, key, root)
    with shell.held(plan, name, key, root) as (at, records):
        click.echo(shell.described(at), err=True)
        code = shell.enter(at, argv)
    for record in records:
        reason = f": {record.reason}" if record.reason else ""
        click.echo(f"taken down ({record.status}{reason}); what it left is in {at.out}", err=True)
    raise SystemExit(code)


def _profilers(wanted: tuple[str, ...]) -> tuple[str, ...]:
    from fuselab.profilers import REGISTRY

    return tuple(_known("profiler", name, list(REGISTRY)) for name in wanted)


def _known(noun: str, name: str, names: list[str]) -> str:
    if name not in names:
        close = near(name, names)
        fail(f"unknown {noun} '{name}'{hint(close)} (there are: {', '.join(names)})")
    return name
