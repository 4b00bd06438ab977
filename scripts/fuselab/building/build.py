"""Making a build: a folder with the program and `build.json`."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import msgspec

from fuselab.building import cargo, command, source
from fuselab.building.needs import missing
from fuselab.building.request import BuildRequest
from fuselab.building.running import Made
from fuselab.checksums import write_sums
from fuselab.errors import BuildError
from fuselab.files import sha256, write_json
from fuselab.records.build import BuildRecord
from fuselab.records.places import BUILD, WORKTREE
from fuselab.targets.model import Build, CargoBuild, CommandBuild, Installed, NoBuild


def make_build(request: BuildRequest, build: Build, out: Path, others: Sequence[Path] = ()) -> BuildRecord:
    """Make `request` in the folder `out` (created, or emptied first).

    `others` are folders of builds that it is compared with and that are made otherwise from the same source. Raises
    BuildError: no cargo, a program that it needs is missing, source not set or edited meanwhile, compile error, or the
    same program as one of `others`.
    """
    out.mkdir(parents=True, exist_ok=True)
    _require_needs(request, build)
    match build:
        case CargoBuild():
            with cargo.compiled(request, build) as made:
                record = _record(request, build, made, out)
        case CommandBuild():
            with command.compiled(request, build) as made:
                record = _record(request, build, made, out)
        case Installed():
            record = _installed(request, build)
        case NoBuild():
            raise BuildError(f"target {request.target} has no program to build")
    _require_different(record, others)
    write_json(out / BUILD, record)
    write_sums(out)
    return record


def _require_needs(request: BuildRequest, build: Build) -> None:
    if lacking := missing(build):
        raise BuildError(
            f"target {request.target} is built with {', '.join(f'`{name}`' for name in lacking)}, which is not "
            f"installed: sudo apt-get install {' '.join(dict.fromkeys(lacking.values()))}"
        )


def _require_different(record: BuildRecord, others: Sequence[Path]) -> None:
    for other in (folder / BUILD for folder in others):
        if not other.is_file():
            continue
        theirs = msgspec.json.decode(other.read_bytes(), type=BuildRecord)
        if theirs.sha256 == record.sha256:
            ours = f"`{' '.join(record.command)}` with env {dict(record.env)}"
            raise BuildError(
                f"{record.target} ({ours}) and {theirs.target} (`{' '.join(theirs.command)}` with env "
                f"{dict(theirs.env)}) are built from one source into the same program, byte for byte: there is nothing "
                "to compare. Does the build heed its `env` and `argv`? A Makefile that sets `CFLAGS =` does not heed "
                "the variable; `argv: [make, CFLAGS=-O3]` overrules it. For a control, let both use one target"
            )


def _record(request: BuildRequest, build: CargoBuild | CommandBuild, made: Made, out: Path) -> BuildRecord:
    """Copy the program into `out` and describe it; the diff of a dirty worktree is kept beside it."""
    binary = out / request.binary
    shutil.copy2(made.program, binary)
    state = source.state(build, request.rev)
    if state.diff:
        (out / WORKTREE).write_text(state.diff)
    return BuildRecord(
        target=request.target,
        build=request.name,
        kind=request.kind,
        command=made.command,
        env=made.env,
        source=str(made.source),
        revision=state.revision,
        dirty=state.dirty,
        features=request.features,
        rustflags=request.rustflags,
        profile=request.profile,
        toolchain=request.toolchain,
        binary=request.binary,
        sha256=sha256(binary),
        build_id=_build_id(binary),
    )


def _installed(request: BuildRequest, build: Installed) -> BuildRecord:
    path = shutil.which(build.binary)
    if path is None:
        raise BuildError(f"target {request.target}: the program `{build.binary}` is not installed")
    version = None
    if build.version:
        done = subprocess.run(build.version, capture_output=True, text=True, timeout=30, check=False)
        version = (done.stdout + done.stderr).strip()
    return BuildRecord(
        target=request.target,
        build=request.name,
        kind=request.kind,
        binary=path,
        sha256=sha256(Path(path)),
        build_id=_build_id(Path(path)),
        version=version,
    )


def _build_id(binary: Path) -> str | None:
    from symbolic.debuginfo import Archive  # only where a program was just built: not at import

    try:
        objects = list(Archive.open(str(binary)).iter_objects())
    except Exception:
        return None  # a script, or a format without build ids
    return objects[0].code_id if objects else None
