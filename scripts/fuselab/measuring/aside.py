"""What does not count is set aside before the DAG is made, so that Snakemake sees it missing and makes it again.

Nothing is deleted: a folder that is set aside lies below `results/<experiment>/attempts/` with the reason in a file.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from fuselab.checksums import SUMS, quick_fault
from fuselab.files import next_numbered, rename, write_atomically
from fuselab.records.block import read_block
from fuselab.records.capture import read_capture
from fuselab.records.places import BLOCK, home_of

REASON = "set-aside.txt"
Doubt = Callable[[Path], str | None]
"""Why a finished folder does not count, in words; None if it does."""
DOUBTS: tuple[Doubt, ...] = (quick_fault,)


@dataclass(frozen=True)
class Aside:
    folder: Path
    reason: str
    note: str = REASON
    """The file in which the reason stands afterwards."""


@dataclass(frozen=True)
class Group:
    """Measurements that are set against each other. `folders` may be there, `wanted` are in any case."""

    folders: tuple[str, ...]
    wanted: tuple[str, ...]
    code: str
    """Of fuselab, as it would measure now."""


def doubtful(folders: Iterable[Path]) -> Iterator[Aside]:
    """Those of `folders` that are there and do not count."""
    for folder in folders:
        if folder.is_dir() and any(folder.iterdir()):
            reason = next(filter(None, (doubt(folder) for doubt in DOUBTS)), None)
            if reason:
                yield Aside(folder, reason)


def mixed(groups: Iterable[Group], gone: Collection[Path]) -> Iterator[Aside]:
    """What other code of fuselab measured than will measure what is missing beside it. `gone` are set aside already."""
    for group in groups:
        code = {
            folder: _code(folder)
            for folder in map(Path, group.folders)
            if folder not in gone and (folder / SUMS).is_file()
        }
        whole = all(Path(folder) in code for folder in group.wanted)
        if not whole or len(set(code.values())) > 1:
            for folder in (folder for folder, measured in code.items() if measured != group.code):
                reason = f"{folder} was measured by other code of fuselab than what it is compared with"
                yield Aside(folder, reason)


def _code(folder: Path) -> str:
    return (read_block(folder) if (folder / BLOCK).is_file() else read_capture(folder)).code


def place_aside(folder: Path, attempts: Path | None = None) -> Path:
    """Where below `attempts` (of its own experiment, if none is given) `folder` is moved when it is set aside."""
    _, experiment, *rest = folder.parts
    attempts = attempts or home_of(folder).attempts
    return attempts / ".".join(rest if experiment == attempts.parent.name else (experiment, *rest))


def set_aside(aside: Aside, attempts: Path) -> Path:
    """Move the folder below `attempts`, where `fuselab clean` finds it; where it is now."""
    place = next_numbered(place_aside(aside.folder, attempts))
    rename(aside.folder, place)
    write_atomically(place / aside.note, f"{aside.reason}\n")
    print(f"{aside.reason}: it is made again, and what was there is in {place}", file=sys.stderr)
    return place
