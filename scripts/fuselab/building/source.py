"""Which source a build is made from: a stamp that changes when, and only when, what is compiled changes."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from fuselab.building.path_dependencies import outside
from fuselab.files import sha256
from fuselab.foreign import plain
from fuselab.paths import cache_folder
from fuselab.targets.model import CargoBuild, CommandBuild

WORKTREE = "worktree"
"""In the place of a commit: the source as it lies there."""
_NEVER_SOURCE = {".git", "target", "node_modules", "__pycache__"}


@dataclass(frozen=True)
class SourceState:
    """`revision` is the commit of HEAD (or the one asked for), None outside git; `diff` what differs from it."""

    revision: str | None
    dirty: bool
    diff: str


_KEPT_BYTES = 1 << 20
"""Of a file that git does not track; a larger one is named in the diff, and no more."""


def git(folder: Path, *argv: str, codes: tuple[int, ...] = (0,), errors: str = "replace") -> str | None:
    """Output of a git command in `folder`, None where git says no (not a repository, no such revision)."""
    done = subprocess.run(
        ["git", "-C", str(folder), *argv],
        capture_output=True,
        text=True,
        errors=errors,
        timeout=60,
        check=False,
    )
    return done.stdout if done.returncode in codes else None


def stamp_now(source: Path, rev: str, ignored: frozenset[str]) -> str:
    """Short hash of what would be compiled: the commit, or the content of every file of the worktree.

    `ignored` are paths relative to `source` that are no part of the program (the target's own target.yaml). Packages
    outside `source` that it refers to by path belong to it.
    """
    if rev != WORKTREE:
        return rev[:12]
    names = sorted(files(source))
    beside = outside(source, (source / name for name in names if Path(name).name == "Cargo.toml"))
    if not beside:
        return _content(source, names, ignored)
    parts = [_content(source, names, ignored), *(_content(each, sorted(files(each))) for each in beside)]
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()[:12]


def _content(folder: Path, names: list[str], ignored: frozenset[str] = frozenset()) -> str:
    digest = hashlib.sha256()
    for path in names:
        full = folder / path
        if path in ignored or (full.name == "Cargo.lock" and _made_by_a_build(full)):
            continue
        digest.update(f"{path}\0".encode(errors="surrogateescape"))
        if full.is_symlink():
            digest.update(os.readlink(full).encode(errors="surrogateescape"))
        elif full.is_file():
            digest.update(hashlib.sha256(full.read_bytes()).digest())
        elif full.is_dir():  # a submodule, or a checkout inside: git names its folder alone
            digest.update(_content(full, sorted(files(full))).encode())
    return digest.hexdigest()[:12]


def cargo_locks(source: Path) -> set[Path]:
    return {source / name for name in files(source) if Path(name).name == "Cargo.lock"}


def note_locks(made: Iterable[Path]) -> None:
    """A build has just made each Cargo.lock of `made`: as long as it is what it is now, it is no part of the source.

    Or the first build would give its own source another name, and everything would be built and measured again.
    """
    for lock in made:
        _note(lock).parent.mkdir(parents=True, exist_ok=True)
        _note(lock).write_text(sha256(lock))


def _made_by_a_build(lock: Path) -> bool:
    note = _note(lock)
    return note.is_file() and lock.is_file() and note.read_text() == sha256(lock)


def _note(lock: Path) -> Path:
    return cache_folder() / "cargo-locks" / hashlib.sha256(str(lock.resolve()).encode()).hexdigest()[:16]


stamp = cache(stamp_now)
"""The same as it was when it was first asked for: one call of Snakemake sees one source."""


def listed(source: Path) -> list[str]:
    """Relative paths of what git has in `source`, and of what it might take; none outside git, or if it ignores all."""
    names = _names(source, "--cached", "--others", "--exclude-standard", "--deduplicate")
    return [name for name in names if name != "./"]  # a submodule that is not checked out


def _names(source: Path, *which: str) -> list[str]:
    """Bytes that are not UTF-8 are kept as surrogates: `Path` makes them the file's name again."""
    said = git(source, "ls-files", "-z", *which, errors="surrogateescape") or ""
    return [name for name in said.split("\0") if name]


def files(source: Path) -> list[str]:
    """Relative paths of what belongs to the source: all that git lists, or every file but what builds leave."""
    if known := listed(source):
        return known
    every = []
    for folder, names, files in os.walk(source):
        names[:] = [name for name in names if name not in _NEVER_SOURCE]
        every += [os.path.relpath(os.path.join(folder, name), source) for name in files]
    return every


def state(build: CargoBuild | CommandBuild, rev: str) -> SourceState:
    """Revision and dirtiness, for build.json, and what `git apply` makes the worktree below the source from."""
    assert build.source is not None
    if rev != WORKTREE:
        return SourceState(rev, False, "")
    revision = git(build.source, "rev-parse", "HEAD")
    if revision is None:
        return SourceState(None, True, "")
    status = git(build.source, "status", "--porcelain", "--", ".") or ""
    return SourceState(revision.strip(), bool(status.strip()), _diff(build.source))


def _diff(source: Path) -> str:
    parts = [git(source, "diff", "--binary", "--relative", "HEAD", "--", ".") or ""]
    for name in _names(source, "--others", "--exclude-standard"):
        if (size := (source / name).lstat().st_size) > _KEPT_BYTES:
            parts.append(f"# {plain(name)}: a new file of {size} bytes, not kept\n")
        else:  # 1 is git's exit code for a difference
            parts.append(
                git(source, "diff", "--no-index", "--binary", "--", "/dev/null", name, codes=(0, 1)) or ""
            )
    return "".join(parts)
