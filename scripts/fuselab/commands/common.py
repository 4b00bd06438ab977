"""What several verbs need: where the repository is, its experiments, JSON for scripts."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

import fuselab
from fuselab import foreign

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from fuselab.experiment.loading import Loaded


def repository(file: Path | None = None) -> Path:
    """Where `targets/` is: around `file`, around the working folder, or else where fuselab itself lies."""
    starts = [file.resolve().parent] if file is not None else []
    for start in [*starts, Path.cwd()]:
        for folder in (start, *start.parents):
            if (folder / "Snakefile").is_file() and (folder / "targets").is_dir():
                return folder
    return Path(fuselab.__file__).resolve().parents[2]


def experiment_path(written: str) -> Path:
    """A file as it is written, that of a target's folder, or the experiment of that name."""
    path = Path(written)
    if (path / "target.yaml").is_file():
        return path / "target.yaml"
    if path.suffix in (".yaml", ".yml") or path.is_file():
        return path
    return repository() / "experiments" / f"{written}.yaml"


def shorter(path: Path) -> Path:
    """Relative to the working folder where it lies below it."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def load(written: str) -> tuple[Path, Loaded]:
    """The repository around an experiment, and the experiment. Raises ExperimentErrors."""
    from fuselab.experiment.loading import load_experiment

    path = experiment_path(written)
    root = repository(path)
    return root, load_experiment(path, root)


def fail(message: str, code: int = 1) -> NoReturn:
    """End with one sentence for the user."""
    click.echo(f"fuselab: {message}", err=True)
    sys.exit(code)


def console() -> Console:
    """Where tables go: as wide as the terminal, wide enough for paths where there is none. Brackets are no markup."""
    from rich.console import Console

    width = None if sys.stdout.isatty() else 120
    return Console(highlight=False, markup=False, width=width, soft_wrap=True)


def row(*values: object) -> list[Text]:
    """Cells of a table as plain text: nothing in them is an order to the terminal."""
    from rich.text import Text

    return [Text(foreign.name(str(value))) for value in values]


def print_json(value: object) -> None:
    """For scripts: one JSON document on standard output."""
    import msgspec

    click.echo(msgspec.json.format(msgspec.json.encode(value, enc_hook=str), indent=2).decode())
