"""What several verbs need: which project is meant, its experiments, JSON for scripts."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from fuselab import foreign
from fuselab.project import CHECKOUT, experiment_file, project_around

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from fuselab.experiment.loading import Loaded
    from fuselab.schema.errors import Problem


def repository(file: Path | None = None) -> Path:
    """The project around `file`, around the working folder, or else fuselab's own checkout."""
    starts = [file.resolve().parent] if file is not None else []
    found = (project_around(start) for start in [*starts, Path.cwd()])
    return next((root for root in found if root is not None), CHECKOUT)


def located(written: str) -> tuple[Path, Path]:
    """The project that is meant, and the file: as it is written, that of a target's folder, or by its name.

    A name is that of an experiment, of its file or of its folder of results, in the project of the working folder.
    """
    path = Path(written)
    if (path / "target.yaml").is_file():
        path /= "target.yaml"
    elif not path.is_file() and path.suffix in (".yaml", ".yml"):
        return repository(path), path.with_suffix(".yaml")
    if path.is_file():
        return repository(path), path

    from fuselab.records.places import Results

    name = path.name if path.parent.name == Results().folder.name else written
    root = repository()
    return root, experiment_file(root, name)


def shorter(path: Path) -> Path:
    """Relative to the working folder where it lies below it."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def load(written: str) -> tuple[Path, Loaded]:
    """The project of an experiment, and the experiment. Raises ExperimentErrors."""
    from fuselab.experiment.loading import load_experiment

    root, path = located(written)
    return root, load_experiment(path, root)


def fail(message: str, code: int = 1) -> NoReturn:
    """End with one sentence for the user."""
    click.echo(f"fuselab: {message}", err=True)
    sys.exit(code)


_COLOURS: dict[str, dict[str, Any]] = {
    "place": {"bold": True},
    "message": {"fg": "red"},
    "mark": {"fg": "red"},
    "right": {"fg": "green"},
}
"""By part of a fault. Click leaves them out where there is no terminal, the command line where NO_COLOR is set."""


def faults(problems: Iterable[Problem]) -> str:
    """Faults of files, one below the other, in colours."""
    return "\n\n".join(p.said(lambda text, part: click.style(text, **_COLOURS[part])) for p in problems)


ONE_LINE = 100_000
"""Columns: for a program that reads lines, and a person who pipes them into `less`."""


def console() -> Console:
    """Where tables go: as wide as the terminal; without one a row is a line, however long. Brackets are no markup."""
    from rich.console import Console

    width = None if sys.stdout.isatty() else ONE_LINE
    return Console(highlight=False, markup=False, width=width, soft_wrap=True)


def row(*values: object) -> list[Text]:
    """Cells of a table as plain text: nothing in them is an order to the terminal."""
    from rich.text import Text

    return [Text(foreign.name(str(value))) for value in values]


def print_json(value: object) -> None:
    """For scripts: one JSON document on standard output."""
    import msgspec

    click.echo(msgspec.json.format(msgspec.json.encode(value, enc_hook=str), indent=2).decode())
