"""Where a build finds its source. The user's checkout is read, and never written but by cargo, which builds in it.

A revision is compiled from a clean clone in the cache folder. A build command runs in a fresh copy, so that nothing
an earlier build left is taken for this one's: make says "up to date" of an object that was compiled with other flags.
cargo keeps books of flags and needs no copy.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from fuselab.building import source
from fuselab.building.request import BuildRequest
from fuselab.building.source import WORKTREE
from fuselab.errors import BuildError
from fuselab.locks import locked
from fuselab.paths import cache_folder
from fuselab.targets.model import CargoBuild, CommandBuild

_LIMIT_S = 600.0


def _checkout(request: BuildRequest, build: CargoBuild | CommandBuild) -> Path:
    """The user's own folder of the source."""
    if build.source is None:
        raise BuildError(
            f"target {request.target} is built from source, and the variable {build.source_env} that says where it is "
            f"is not set: `export {build.source_env}=/path/to/its/checkout`"
        )
    if not build.source.is_dir():
        raise BuildError(f"the source of target {request.target}, {build.source}, is not a folder")
    return build.source.resolve()


def require_unedited(request: BuildRequest, build: CargoBuild | CommandBuild) -> None:
    """Raise BuildError if the source is not what it was when the build got its name."""
    assert build.source is not None
    if request.stamp != source.stamp_now(build.source, request.rev, frozenset(request.ignored)):
        raise BuildError(
            f"the source of target {request.target}, {build.source}, was edited after this call began, and what was "
            f"compiled may be neither of before nor of now: call again"
        )


def at_revision(request: BuildRequest, build: CargoBuild) -> Path:
    """The folder to build in: the checkout as it is, or a clean clone at the revision. Raises BuildError."""
    checkout = _checkout(request, build)
    if request.rev == WORKTREE:
        return checkout
    root = _top(checkout)
    if root is None:
        raise BuildError(f"{checkout} is no git checkout, so it has no revision {request.rev}")
    clone = cache_folder() / "sources" / f"{request.target}-{_key(root)}-{request.rev[:12]}"
    waiting = f"{request.folder}: waiting for another clone of {root}"
    with locked(
        clone.with_name(f"{clone.name}.lock"), waiting=waiting, goes_on=f"{request.folder}: going on"
    ):
        if not clone.is_dir():
            half = clone.with_name(f"{clone.name}.half")
            shutil.rmtree(half, ignore_errors=True)
            _clone(root, half, request.rev)
            half.rename(clone)
    return clone / checkout.relative_to(root)


@contextmanager
def own_copy(request: BuildRequest, build: CommandBuild) -> Iterator[Path]:
    """What the source is, in a copy of its checkout (or of itself, outside git), removed afterwards.

    The same place for every build of one source, one after the other: compilers write paths into programs, and two
    builds that do not differ in anything else are to be the same bytes. What git ignores is no part of the source, nor
    is the program that a build leaves in it, unless git knows it. Raises BuildError.
    """
    folder = _checkout(request, build)
    top = _top(folder) if source.listed(folder) else None
    root = top or folder
    place = cache_folder() / "copies" / f"{root.name}-{_key(root)}"
    waiting, goes_on = f"{request.folder}: waiting for another build of {root}", f"{request.folder}: building"
    with locked(place.with_name(f"{place.name}.lock"), waiting=waiting, goes_on=goes_on):
        shutil.rmtree(place, ignore_errors=True)
        try:
            if top is None:
                _copy(folder, place, (name for name in source.files(folder) if name != build.binary))
            else:
                _clone(root, place, request.rev)
            yield place / folder.relative_to(root)
        finally:
            shutil.rmtree(place, ignore_errors=True)


def _top(folder: Path) -> Path | None:
    """Of the checkout that `folder` is in; None outside git."""
    top = source.git(folder, "rev-parse", "--show-toplevel")
    return None if top is None else Path(top.removesuffix("\n")).resolve()


def _key(root: Path) -> str:
    return hashlib.sha256(str(root).encode()).hexdigest()[:8]


def _clone(root: Path, place: Path, rev: str) -> None:
    """With git's own folder, because builds ask it for a version."""
    _git("clone", "--quiet", "--shared", "--no-checkout", str(root), str(place))
    if rev != WORKTREE:
        _git("-C", str(place), "checkout", "--quiet", "--detach", rev)
        return
    _copy(root, place, source.files(root))
    # It fails where there is no commit yet, and then there is nothing to put into the index.
    source.git(place, "reset", "--quiet")


def _git(*argv: str) -> None:
    done = subprocess.run(["git", *argv], capture_output=True, text=True, timeout=_LIMIT_S, check=False)
    if done.returncode != 0:
        raise BuildError(f"`git {' '.join(argv)}` failed: {done.stderr.strip()}")


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
