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
from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from fuselab.building.source import WORKTREE, stamp_now

_FOLDER = "fuselab-sources"
"""Below the target folder: a file for each local package, with path and stamp of what it was last compiled from."""
_ALONE = frozenset({"--locked", "--frozen", "--offline"})
_WITH_VALUE = frozenset({"--manifest-path", "--config"})
"""What decides which packages a build is of: cargo's other commands are told the same."""
_LIMIT_S = 600.0


def forget_other_sources(folder: Path, argv: Sequence[str], env: Mapping[str, str], target_dir: Path) -> None:
    """Before `argv` builds in `folder`: drop what was compiled of its local packages from any other source.

    The caller holds the lock on `target_dir`. Dependencies from registries stay. Where cargo does not tell its
    packages nothing is done: it will not build them either, and says why.
    """
    cargo = [argv[0], *(word for word in argv[1:2] if word.startswith("+"))]
    told = [*(word for word in argv if word in _ALONE), *_options(argv, _WITH_VALUE)]
    done = _quiet([*cargo, "metadata", "--format-version", "1", *told], folder, env)
    if done.returncode != 0:
        return
    known = target_dir / _FOLDER
    local = {
        p["name"]: Path(p["manifest_path"]).parent
        for p in json.loads(done.stdout)["packages"]
        if p["source"] is None
    }
    now = {name: f"{path}\n{stamp_now(path, WORKTREE, frozenset())}" for name, path in local.items()}
    others = [name for name in local if _read(known / name) != now[name]]
    if not others:
        return
    told += [*_options(argv, {"--target"}), *(word for name in others for word in ("--package", name))]
    # Once for each folder that a profile has: without --profile, cargo looks into that of `dev` alone.
    for profile in dict.fromkeys(("dev", "release", *_options(argv, {"--profile"})[1:])):
        _quiet([*cargo, "clean", "--profile", profile, *told], folder, env)
    known.mkdir(parents=True, exist_ok=True)
    for name in others:
        (known / name).write_text(now[name])


def _options(argv: Sequence[str], names: Collection[str]) -> list[str]:
    """Those of `names` that stand in `argv`, each with its value behind it."""
    options = []
    for word, after in pairwise(argv):
        name, equals, value = word.partition("=")
        if name in names:
            options += [name, value if equals else after]
    return options


def _quiet(argv: Sequence[str], folder: Path, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        argv, cwd=folder, env=os.environ | env, capture_output=True, text=True, timeout=_LIMIT_S, check=False
    )


def _read(path: Path) -> str | None:
    return path.read_text() if path.is_file() else None
