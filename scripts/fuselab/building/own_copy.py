"""A fresh copy of a source for one build command, so that nothing an earlier build left is taken for this one's.

make says "up to date" of an object that was compiled with other flags. cargo keeps books of flags and needs no copy.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from fuselab.building import source
from fuselab.building.source import WORKTREE
from fuselab.locks import locked
from fuselab.paths import cache_folder
from fuselab.screen import on_screen

_LIMIT_S = 600.0


class CopyError(Exception):
    """git could not do its part; the message holds its words."""


@contextmanager
def own_copy(folder: Path, rev: str, made: str) -> Iterator[Path]:
    """What `folder` is in a copy of its checkout (or of itself, outside git), removed afterwards.

    The same place for every build of one source, one after the other: compilers write paths into programs, and two
    builds that do not differ in anything else are to be the same bytes. What git ignores is no part of the source, nor
    is `made`, the program that a build leaves in it, unless git knows it.
    """
    top = source.git(folder, "rev-parse", "--show-toplevel") if source.listed(folder) else None
    root = folder if top is None else Path(top.rstrip("\n"))
    key = hashlib.sha256(str(root).encode()).hexdigest()[:8]
    place = cache_folder() / "copies" / f"{root.name}-{key}"
    wait = partial(on_screen, f"waiting for another build of {root}")
    with locked(place.with_name(f"{place.name}.lock"), waiting=wait):
        shutil.rmtree(place, ignore_errors=True)
        try:
            inside = place / folder.resolve().relative_to(root.resolve())
            if top is None:
                _copy(folder, place, (name for name in source.files(folder) if name != made))
            else:
                _clone(root, rev, place)
            yield inside
        finally:
            shutil.rmtree(place, ignore_errors=True)


def _clone(root: Path, rev: str, place: Path) -> None:
    """With git's own folder, because builds ask it for a version."""
    git("clone", "--quiet", "--shared", "--no-checkout", str(root), str(place))
    if rev != WORKTREE:
        git("-C", str(place), "checkout", "--quiet", "--detach", rev)
        return
    _copy(root, place, source.files(root))
    subprocess.run(  # fails where there is no commit yet, and then there is nothing to put into the index
        ["git", "-C", str(place), "reset", "--quiet"], capture_output=True, timeout=_LIMIT_S, check=False
    )


def git(*argv: str) -> None:
    """Raises CopyError with what git says."""
    done = subprocess.run(["git", *argv], capture_output=True, text=True, timeout=_LIMIT_S, check=False)
    if done.returncode != 0:
        raise CopyError(f"`git {' '.join(argv)}` failed: {done.stderr.strip()}")


def _copy(root: Path, place: Path, names: Iterable[str]) -> None:
    for name in names:
        old, new = root / name, place / name
        new.parent.mkdir(parents=True, exist_ok=True)
        if old.is_symlink():
            new.symlink_to(os.readlink(old))
        elif old.is_dir():  # a submodule: git names its folder alone
            _copy(old, new, source.files(old))
        elif old.is_file():
            shutil.copy2(old, new)
    place.mkdir(parents=True, exist_ok=True)
