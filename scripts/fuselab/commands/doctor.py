"""`fuselab doctor`: what this machine can do, and the command that mends what it cannot."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fuselab.commands import completing
from fuselab.commands.cluster import CLUSTERS, require_cluster, srun_options, told
from fuselab.commands.common import load, print_json, repository

if TYPE_CHECKING:
    from fuselab.doctor.base import Line

_STYLE = {"ok": ("ok", "green"), "note": ("note", "yellow"), "bad": ("BAD", "red")}


@click.command("doctor")
@click.argument("file", required=False, metavar="[FILE|NAME]", shell_complete=completing.experiments)
@click.option("--json", "as_json", is_flag=True, help="Print the lines as JSON.")
@click.option(
    "--on", type=click.Choice(CLUSTERS), help="Ask one job on each node of a cluster: docs/cluster.md."
)
def command(file: str | None, as_json: bool, on: str | None) -> None:
    """Look at this machine; with an experiment, also at what that needs.

    Each line is ok, or a note (works, but less), or BAD with the command that mends it. The exit code is 1 if
    anything is BAD.
    """
    from fuselab.doctor.examine import examine

    root, loaded = load(file) if file else (repository(), None)
    lines = []
    for line in _on_nodes(root, file, on) if on else examine(root, loaded):
        lines.append(line)
        if not as_json:
            word, colour = _STYLE[line.level]
            click.echo(f"{click.style(f'{word:5}', fg=colour)} {line.what}: {line.text}")
            if line.mend:
                click.echo(f"      mend: {line.mend}")
    if as_json:
        print_json(lines)
    raise SystemExit(any(line.level == "bad" for line in lines))


def _on_nodes(root: Path, file: str | None, on: str) -> Iterator[Line]:
    from fuselab.doctor.nodes import examine_nodes

    require_cluster(on)
    doctor = [str(Path(sys.executable).with_name("fuselab")), "doctor", "--json", *filter(None, [file])]
    with told():
        yield from examine_nodes(doctor, srun_options(root))
