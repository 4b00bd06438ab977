"""`fuselab completion`: what makes Tab complete verbs, options and names in a shell."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

import click

from fuselab.commands.common import fail
from fuselab.project import CHECKOUT

PLACES = {
    "bash": Path("share/bash-completion/completions/fuselab"),
    "zsh": Path("share/zsh/site-functions/_fuselab"),
    "fish": Path("share/fish/vendor_completions.d/fuselab.fish"),
}
"""Below `.venv/`, where `make setup` puts what each shell reads."""
_STARTS = {"bash": "~/.bashrc", "zsh": "~/.zshrc", "fish": "~/.config/fish/config.fish"}
_CALLS = {
    "bash": ("_complete $1)", "_complete {})"),
    "zsh": ("_complete fuselab)", "_complete {})"),
    "fish": ("-t) fuselab);", "-t) {});"),
}
"""How click's scripts call what completes, and how ours do: theirs miss a program that is not on PATH."""
_ON_PATH = "    (( ! $+commands[fuselab] )) && return 1\n"


@click.command("completion")
@click.argument("shell", type=click.Choice(list(PLACES)), required=False)
@click.option(
    "--install", is_flag=True, help="Write those of all shells into .venv/ of the checkout, as setup does."
)
@click.pass_context
def command(ctx: click.Context, shell: str | None, install: bool) -> None:
    """Print what SHELL reads so that Tab completes verbs, options, experiments, targets, variants and revisions.

    `make setup` has written it into the checkout. It changes nothing of yours: a line in your shell's own start file
    switches it on, which this says when it is called without a SHELL.
    """
    verbs = ctx.find_root().command
    if install:
        for name, place in PLACES.items():
            at = CHECKOUT / ".venv" / place
            at.parent.mkdir(parents=True, exist_ok=True)
            at.write_text(script(name, verbs))
    elif shell is None:
        click.echo(line(Path(os.environ.get("SHELL", "")).name))
    else:
        click.echo(script(shell, verbs), nl=False)


def script(shell: str, verbs: click.Command) -> str:
    """click's own, that asks the program of this checkout however it is called."""
    from click.shell_completion import get_completion_class

    made = get_completion_class(shell)
    assert made is not None
    text = made(verbs, {}, "fuselab", "_FUSELAB_COMPLETE").source()
    call, ours = _CALLS[shell]
    if text.count(call) != 1:
        fail(f"click's completion for {shell} is not what this knows: {sys.executable} -m pip show click")
    program = shlex.quote(str(CHECKOUT / ".venv/bin/fuselab"))
    return text.replace(call, ours.format(program)).replace(_ON_PATH, "")


def line(shell: str) -> str:
    """What switches it on for `shell`, or for bash where that is not known."""
    shell = shell if shell in PLACES else "bash"
    return f"for names at Tab, in {_STARTS[shell]}:  source {CHECKOUT / '.venv' / PLACES[shell]}"
