"""One cargo target folder for many checkouts, and why that needs care.

cargo names what it compiles of a package by name, version, features and flags, but not by where a local package lies:
two checkouts of one filesystem are one package to it. Whether it is fresh it decides by time alone. So a checkout whose
files are older than what was compiled last, from another, is given that other's program; so is a file that is put back
with its old date.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from fuselab.building.source import WORKTREE, stamp_now

_FOLDER = "fuselab-sources"
"""Below the target folder: a file for each local package, with path and stamp of what it was last compiled from."""
_HANDED_ON = frozenset({"--locked", "--frozen", "--offline"})
_LIMIT_S = 600.0


def forget_other_sources(folder: Path, argv: Sequence[str], env: Mapping[str, str], target_dir: Path) -> None:
    """Before `argv` builds in `folder`: drop what was compiled of its local packages from any other source.

    The caller holds the lock on `target_dir`. Dependencies from registries stay. Where cargo does not tell its
    packages nothing is done: it will not build them either, and says why.
    """
    cargo = [argv[0], *(word for word in argv[1:2] if word.startswith("+"))]
    flags = [word for word in argv if word in _HANDED_ON]
    packages = _local_packages([*cargo, "metadata", "--format-version", "1", *flags], folder, env)
    known = target_dir / _FOLDER
    now = {name: f"{path}\n{stamp_now(Path(path), WORKTREE, frozenset())}" for name, path in packages.items()}
    others = [name for name in packages if _read(known / name) != now[name]]
    if not others:
        return
    chosen = [word for name in others for word in ("--package", name)]
    # Once for each folder that a profile has: without --profile, cargo looks into that of `dev` alone.
    for profile in ("dev", "release", *_profile(argv)):
        _quiet([*cargo, "clean", "--profile", profile, *flags, *chosen], folder, env)
    known.mkdir(parents=True, exist_ok=True)
    for name in others:
        (known / name).write_text(now[name])


def _local_packages(argv: Sequence[str], folder: Path, env: Mapping[str, str]) -> dict[str, str]:
    """Name -> folder of every package that comes from a path: the workspace's, and those it refers to by path."""
    done = _quiet(argv, folder, env)
    if done.returncode != 0:
        return {}
    found = json.loads(done.stdout)["packages"]
    return {p["name"]: str(Path(p["manifest_path"]).parent) for p in found if p["source"] is None}


def _profile(argv: Sequence[str]) -> list[str]:
    return [argv[i + 1] for i, word in enumerate(argv[:-1]) if word == "--profile"]


def _quiet(argv: Sequence[str], folder: Path, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        argv, cwd=folder, env=os.environ | env, capture_output=True, text=True, timeout=_LIMIT_S, check=False
    )


def _read(path: Path) -> str | None:
    return path.read_text() if path.is_file() else None
