"""Compiling with cargo, in target folders that builds share."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fuselab.building.cargo_cache import forget_other_sources
from fuselab.building.checkout import at_revision, require_unedited
from fuselab.building.request import DEBUG, BuildRequest
from fuselab.building.running import Made, run
from fuselab.building.source import cargo_locks, note_locks
from fuselab.errors import BuildError
from fuselab.locks import locked
from fuselab.paths import cache_folder
from fuselab.targets.model import CargoBuild


@contextmanager
def compiled(request: BuildRequest, build: CargoBuild) -> Iterator[Made]:
    """The program or the bench, there until the block is left: then another build may put its own in its place.

    Raises BuildError, also after the block where the source was edited meanwhile.
    """
    if shutil.which("cargo") is None:
        raise BuildError(
            f"`cargo` is not on PATH, and target {request.target} is built with it: install Rust with rustup "
            "(https://rustup.rs), then open a new shell"
        )
    folder = at_revision(request, build)
    env = cargo_env(request)
    argv = _argv(request, build, folder)
    target_dir = Path(env["CARGO_TARGET_DIR"])
    name = request.bench or build.binary
    # Until the program is copied: builds with other features, of other checkouts too, put theirs in the same place.
    waiting, goes_on = (
        f"{request.folder}: waiting for another build in {target_dir}",
        f"{request.folder}: building",
    )
    with locked(target_dir / "fuselab.lock", waiting=waiting, goes_on=goes_on):
        require_unedited(request, build)
        locks = cargo_locks(folder)
        try:
            forget_other_sources(folder, argv, env, target_dir)
            messages = run(argv, folder, env, f"building {request.folder}")
        finally:
            note_locks(cargo_locks(folder) - locks)
        programs = [m["executable"] for m in messages if m.get("executable") and m["target"]["name"] == name]
        if not programs:
            raise BuildError(
                f"cargo built no executable `{name}` for target {request.target}: check `binary:` in its target.yaml"
            )
        yield Made(Path(programs[-1]), tuple(argv), env, folder)
        require_unedited(request, build)


def _argv(request: BuildRequest, build: CargoBuild, folder: Path) -> list[str]:
    return [
        "cargo",
        *([f"+{build.toolchain}"] if build.toolchain else []),
        *(["bench", "--no-run"] if request.bench else ["build", "--profile", request.profile]),
        *(["--locked"] if (folder / "Cargo.lock").exists() and "--locked" not in build.args else []),
        *(["--package", build.package] if build.package else []),
        *(["--bench", request.bench] if request.bench else ["--bin", build.binary]),
        *([] if build.default_features else ["--no-default-features"]),
        *(["--features", ",".join(request.features)] if request.features else []),
        *build.args,
        "--message-format=json-render-diagnostics",
    ]


def cargo_env(request: BuildRequest) -> dict[str, str]:
    """One cargo target folder per set of rustflags and toolchain, so that dependencies are shared."""
    shared = hashlib.sha256(json.dumps([request.rustflags, request.toolchain]).encode()).hexdigest()[:8]
    target_dir = str(cache_folder() / "cargo" / shared)
    profile = (request.profile if not request.bench else "bench").upper().replace("-", "_")
    return {
        "RUSTFLAGS": " ".join(request.rustflags),
        "CARGO_TARGET_DIR": target_dir,
        "CARGO_BUILD_BUILD_DIR": target_dir,  # or a configured one of the user's own would be cleaned
        f"CARGO_PROFILE_{profile}_DEBUG": DEBUG,
        f"CARGO_PROFILE_{profile}_STRIP": "none",
        "CARGO_INCREMENTAL": "0",
        "CARGO_TERM_COLOR": "never",
    }
