"""`fuselab doctor`: what this machine can do, and the command that mends what it cannot."""

from __future__ import annotations

import click

from fuselab.commands.common import load, print_json, repository

_STYLE = {"ok": ("ok", "green"), "note": ("note", "yellow"), "bad": ("BAD", "red")}


@click.command("doctor")
@click.argument("file", required=False, metavar="[FILE|NAME]")
@click.option("--json", "as_json", is_flag=True, help="Print the lines as JSON.")
def command(file: str | None, as_json: bool) -> None:
    """Look at this machine; with an experiment, also at what that needs.

    Each line is ok, or a note (works, but less), or BAD with the command that mends it. The exit code is 1 if
    anything is BAD.
    """
    from fuselab.doctor.examine import examine

    root, loaded = load(file) if file else (repository(), None)
    lines = []
    for line in examine(root, loaded):
        lines.append(line)
        if not as_json:
            word, colour = _STYLE[line.level]
            click.echo(f"{click.style(f'{word:5}', fg=colour)} {line.what}: {line.text}")
            if line.mend:
                click.echo(f"      mend: {line.mend}")
    if as_json:
        print_json(lines)
    raise SystemExit(any(line.level == "bad" for line in lines))
