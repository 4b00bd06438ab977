"""Which folder is the project, with the experiments, targets and results; and where a definition of a name is found.

A project is a checkout of fuselab, or any folder in which `fuselab init` has written a Snakefile. Such a folder has its
own definitions first and those that fuselab ships behind them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from fuselab.errors import ProjectError

CHECKOUT = Path(__file__).resolve().parents[2]
"""Fuselab's own: rules, locks, and what is shipped."""
RULES = str(CHECKOUT / "rules" / "workflow.smk")
"""What the Snakefile of a project includes."""
SNAKEFILE = "Snakefile"
FORM = 1
"""Of the Snakefile that `fuselab init` writes: another one once it must say something else."""
_MARK = re.compile(r"^# Written by `fuselab init` \(form (\d+)\)", re.MULTILINE)


def project_around(start: Path) -> Path | None:
    """The project that the folder `start` is in. Raises ProjectError for one of another version of fuselab."""
    for folder in (start, *start.parents):
        snakefile = folder / SNAKEFILE
        if snakefile.is_file() and (initialised(snakefile) or (folder / "targets").is_dir()):
            return folder
    return None


def initialised(snakefile: Path) -> bool:
    """Whether `fuselab init` has written it. Raises ProjectError where that was another version of fuselab."""
    mark = _MARK.search(snakefile.read_text(encoding="utf-8", errors="replace"))
    if mark is not None and int(mark[1]) != FORM:
        raise ProjectError(
            f"{snakefile} was written by `fuselab init` of another version (form {mark[1]}, this one has {FORM}): move "
            "it away, call `fuselab init` again, and add to the new one what you had added; nothing else is touched"
        )
    return mark is not None


def find(project: Path, name: str) -> Path:
    """`targets/myfs/target.yaml`, say: the project's, else the shipped one, else the path where it is missed."""
    there = (folder / name for folder in _folders(project) if (folder / name).is_file())
    return next(there, project / name)


def measured_file(project: Path, name: str) -> Path:
    """Where the file of an experiment lies that a verb wrote for itself: with its results, and not among the user's."""
    return project / "results" / name / f"{name}.yaml"


def experiment_file(project: Path, name: str) -> Path:
    """Of the experiment `name`: what `find` finds, or else what lies with its results."""
    found, beside = find(project, f"experiments/{name}.yaml"), measured_file(project, name)
    return beside if beside.is_file() and not found.is_file() else found


def experiments(project: Path) -> list[str]:
    """Names of all experiments: the user's, the shipped ones, and those that lie with their results."""
    beside = project.glob(str(measured_file(Path(), "*")))
    own = [path.stem for path in names(project, "experiments/*.yaml")]
    return [*own, *sorted({path.stem for path in beside if path.stem == path.parent.name} - set(own))]


def names(project: Path, pattern: str) -> Iterator[Path]:
    """Paths, each relative to its folder, that fit `pattern`: those that `find` finds."""
    found = {path.relative_to(folder) for folder in _folders(project) for path in folder.glob(pattern)}
    yield from sorted(found)


def _folders(project: Path) -> tuple[Path, ...]:
    """Where definitions are. A checkout has all of its own."""
    snakefile = project / SNAKEFILE
    shipped = snakefile.is_file() and initialised(snakefile)
    return (project, CHECKOUT) if shipped else (project,)
