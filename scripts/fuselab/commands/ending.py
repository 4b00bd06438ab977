"""How verbs that judge end, and whom they tell."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import click

WORSE, UNDECIDED, COULD_NOT = 1, 2, 3
"""Exit codes of `compare` and `gate` beside 0; the last where something else went wrong than a verdict."""
_NOTIFY_S = 60.0


def ending(*, worse: bool, undecided: bool, strict: bool) -> int:
    """What a judgement ends with: what is surely worse comes first, and doubt is a fault to the `strict` alone."""
    if worse:
        return WORSE
    return UNDECIDED if strict and undecided else 0


def notify(argv: Sequence[str], summary: Path, root: Path) -> None:
    """Give the summary to the user's command, if there is one; that it fails is said, and changes nothing."""
    if not argv:
        return
    try:
        done = subprocess.run(
            argv, cwd=root, input=summary.read_bytes(), capture_output=True, timeout=_NOTIFY_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        why = error.strerror if isinstance(error, OSError) else f"it took more than {_NOTIFY_S:.0f} s"
        click.echo(f"fuselab: notify: {argv[0]}: {why}", err=True)
        return
    if done.returncode:
        said = (done.stderr or done.stdout).decode(errors="replace").strip().splitlines()[-3:]
        words = f"fuselab: notify: {argv[0]} ended with {done.returncode}"
        click.echo("\n".join([words, *said]), err=True)
