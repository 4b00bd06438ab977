"""Which source a build is made from: a stamp that changes when, and only when, what is compiled changes."""

from __future__ import annotations

import hashlib
import os
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

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


def git(folder: Path, *argv: str, codes: tuple[int, ...] = (0,)) -> str | None:
    """Output of a git command in `folder`, None where git says no (not a repository, no such revision)."""
    done = subprocess.run(
        ["git", "-C", str(folder), *argv],
        capture_output=True,
        text=True,
        errors="replace",
        timeout=60,
        check=False,
    )
    return done.stdout if done.returncode in codes else None


def stamp_now(source: Path, rev: str, ignored: frozenset[str]) -> str:
    """Short hash of what would be compiled: the commit, or the content of every file of the worktree.

    `ignored` are paths relative to `source` that are no part of the program (the target's own target.yaml).
    """
    if rev != WORKTREE:
        return rev[:12]
    digest = hashlib.sha256()
    for path in sorted(files(source)):
        if path in ignored:
            continue
        full = source / path
        digest.update(f"{path}\0".encode(errors="surrogateescape"))
        if full.is_symlink():
            digest.update(os.readlink(full).encode(errors="surrogateescape"))
        elif full.is_file():
            digest.update(hashlib.sha256(full.read_bytes()).digest())
        elif full.is_dir():  # a submodule, or a checkout inside: git names its folder alone
            digest.update(stamp_now(full, WORKTREE, frozenset()).encode())
    return digest.hexdigest()[:12]


stamp = cache(stamp_now)
"""The same as it was when it was first asked for: one call of Snakemake sees one source."""


def listed(source: Path) -> list[str]:
    """Relative paths of what git has in `source`, and of what it might take; none outside git, or if it ignores all."""
    said = git(source, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate")
    return [
        name for name in (said or "").split("\0") if name not in ("", "./")
    ]  # "./": a submodule not checked out


def files(source: Path) -> list[str]:
    """Relative paths of what belongs to the source: all that git lists, or every file but what builds leave."""
    if known := listed(source):
        return known
    found = []
    for folder, names, files in os.walk(source):
        names[:] = [name for name in names if name not in _NEVER_SOURCE]
        found += [os.path.relpath(os.path.join(folder, name), source) for name in files]
    return found


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
    for name in (git(source, "ls-files", "-z", "--others", "--exclude-standard") or "").split("\0"):
        if not name:
            continue
        if (size := (source / name).lstat().st_size) > _KEPT_BYTES:
            parts.append(f"# {name}: a new file of {size} bytes, not kept\n")
        else:  # 1 is git's exit code for a difference
            parts.append(
                git(source, "diff", "--no-index", "--binary", "--", "/dev/null", name, codes=(0, 1)) or ""
            )
    return "".join(parts)
