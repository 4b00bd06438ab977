"""Making a build: cargo, a command, or taking note of what is installed.

The result is a folder with the program and `build.json`. Sources at a revision are compiled from a clean clone
in the cache folder: the user's checkout is read, never written.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from fuselab import foreign
from fuselab.building import source
from fuselab.building.cargo_cache import forget_other_sources
from fuselab.building.own_copy import CopyError, git, own_copy
from fuselab.building.request import DEBUG, BuildRequest
from fuselab.building.source import WORKTREE
from fuselab.checksums import write_sums
from fuselab.errors import BuildError
from fuselab.files import sha256, write_json
from fuselab.locks import locked
from fuselab.paths import cache_folder
from fuselab.screen import on_screen
from fuselab.system.namespaces import contained
from fuselab.targets.model import Build, CargoBuild, CommandBuild, Installed, NoBuild


@dataclass(frozen=True)
class BuildRecord:
    """build.json."""

    target: str
    build: str
    kind: str
    command: tuple[str, ...]
    env: Mapping[str, str]
    """What the build's environment had beyond the caller's."""
    source: str | None
    revision: str | None
    dirty: bool
    features: tuple[str, ...]
    rustflags: tuple[str, ...]
    profile: str
    toolchain: str
    binary: str
    sha256: str
    build_id: str | None
    version: str | None
    """What an installed program says of itself."""


def make_build(spec: BuildRequest, build: Build, out: Path, others: Sequence[Path] = ()) -> BuildRecord:
    """Make the build `spec` in the folder `out` (created, or emptied first).

    `others` are folders of builds that it is compared with and that are made otherwise from the same source. Raises
    BuildError: no cargo, a program that it needs is missing, source not set or edited meanwhile, compile error, or the
    same program as one of `others`.
    """
    out.mkdir(parents=True, exist_ok=True)
    if isinstance(build, CargoBuild | CommandBuild):
        _require_needs(spec, build)
    match build:
        case CargoBuild():
            record = _cargo(spec, build, out)
        case CommandBuild():
            record = _command(spec, build, out)
        case Installed():
            record = _installed(spec, build)
        case NoBuild():
            raise BuildError(f"target {spec.target} has no program to build")
    _require_different(record, others)
    write_json(out / "build.json", record)
    write_sums(out)
    return record


def missing(build: Build) -> dict[str, str]:
    """Programs that the build needs and that are not here -> the Debian package that each is in.

    A variable of the program's name in capitals may say where it is, as build scripts read it: PROTOC, CC.
    """
    needs = build.needs if isinstance(build, CargoBuild | CommandBuild) else ()
    return {
        name: package
        for name, package in needs
        if shutil.which(os.environ.get(name.upper().replace("-", "_")) or name) is None
    }


def _require_needs(spec: BuildRequest, build: CargoBuild | CommandBuild) -> None:
    if lacking := missing(build):
        raise BuildError(
            f"target {spec.target} is built with {', '.join(f'`{name}`' for name in lacking)}, which is not installed: "
            f"sudo apt-get install {' '.join(dict.fromkeys(lacking.values()))}"
        )


def _require_unedited(spec: BuildRequest, build: CargoBuild | CommandBuild) -> None:
    """Raise BuildError if the source is not what it was when the build got its name.

    A Cargo.lock where there was none is no edit: cargo writes it.
    """
    assert build.source is not None
    parts = [frozenset(spec.ignored), frozenset({*spec.ignored, "Cargo.lock"})]
    if spec.stamp not in (source.stamp_now(build.source, spec.rev, ignored) for ignored in parts):
        raise BuildError(
            f"the source of target {spec.target}, {build.source}, was edited after this call began, and what was "
            f"compiled may be neither of before nor of now: call again"
        )


def _require_different(record: BuildRecord, others: Sequence[Path]) -> None:
    for other in (folder / "build.json" for folder in others):
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


def _cargo(spec: BuildRequest, build: CargoBuild, out: Path) -> BuildRecord:
    if shutil.which("cargo") is None:
        raise BuildError(
            f"`cargo` is not on PATH, and target {spec.target} is built with it: install Rust with rustup "
            "(https://rustup.rs), then open a new shell"
        )
    folder = _source(spec, build)
    env = cargo_env(spec)
    what = ["--bench", spec.bench] if spec.bench else ["--bin", build.binary]
    argv = [
        "cargo",
        *([f"+{build.toolchain}"] if build.toolchain else []),
        *(["bench", "--no-run"] if spec.bench else ["build"]),
        *(["--profile", spec.profile] if not spec.bench else []),
        *(["--locked"] if (folder / "Cargo.lock").exists() and "--locked" not in build.args else []),
        *(["--package", build.package] if build.package else []),
        *what,
        *([] if build.default_features else ["--no-default-features"]),
        *(["--features", ",".join(spec.features)] if spec.features else []),
        *build.args,
        "--message-format=json-render-diagnostics",
    ]
    target_dir = Path(env["CARGO_TARGET_DIR"])
    name = spec.bench or build.binary
    # Until the program is copied: builds with other features, of other checkouts too, put theirs in the same place.
    wait = partial(on_screen, f"{spec.folder}: waiting for a build of another checkout (in {target_dir})")
    with locked(target_dir / "fuselab.lock", waiting=wait):
        _require_unedited(spec, build)
        forget_other_sources(folder, argv, env, target_dir)
        messages = _run(argv, folder, env, f"building {spec.folder}")
        executables: list[str] = [
            m["executable"] for m in messages if m.get("executable") and m["target"]["name"] == name
        ]
        if not executables:
            raise BuildError(
                f"cargo built no executable `{name}` for target {spec.target}: check `binary:` in its target.yaml"
            )
        record = _record(spec, build, argv, env, Path(executables[-1]), out, folder)
        _require_unedited(spec, build)
        return record


def cargo_env(spec: BuildRequest) -> dict[str, str]:
    """One cargo target folder per set of rustflags and toolchain, so that dependencies are shared."""
    shared = hashlib.sha256(json.dumps([spec.rustflags, spec.toolchain]).encode()).hexdigest()[:8]
    target_dir = str(cache_folder() / "cargo" / shared)
    profile = (spec.profile if not spec.bench else "bench").upper().replace("-", "_")
    return {
        "RUSTFLAGS": " ".join(spec.rustflags),
        "CARGO_TARGET_DIR": target_dir,
        "CARGO_BUILD_BUILD_DIR": target_dir,  # or a configured one of the user's own would be cleaned
        f"CARGO_PROFILE_{profile}_DEBUG": DEBUG,
        f"CARGO_PROFILE_{profile}_STRIP": "none",
        "CARGO_INCREMENTAL": "0",
        "CARGO_TERM_COLOR": "never",
    }


def _command(spec: BuildRequest, build: CommandBuild, out: Path) -> BuildRecord:
    original = _checkout(spec, build)
    try:
        with own_copy(original, spec.rev, build.binary) as folder:
            _require_unedited(spec, build)
            return _run_command(spec, build, out, folder)
    except CopyError as error:
        raise BuildError(str(error)) from None


def _run_command(spec: BuildRequest, build: CommandBuild, out: Path, folder: Path) -> BuildRecord:
    env = dict(build.env)
    argv = list(build.argv)
    if (
        shutil.which(argv[0], path=f"{os.environ.get('PATH', '')}:{folder}") is None
        and not (folder / argv[0]).exists()
    ):
        raise BuildError(
            f"the build command of target {spec.target} starts with `{argv[0]}`, which is not installed"
        )
    _run(argv, folder, env, f"building {spec.folder}")
    made = folder / build.binary
    if not made.is_file():
        raise BuildError(
            f"the build command of target {spec.target} left no file {build.binary}: check `binary:`. It runs in a "
            f"fresh copy of {build.source}, without what git ignores there"
        )
    return _record(spec, build, argv, env, made, out, build.source or folder)


def _installed(spec: BuildRequest, build: Installed) -> BuildRecord:
    path = shutil.which(build.binary)
    if path is None:
        raise BuildError(f"target {spec.target}: the program `{build.binary}` is not installed")
    version = None
    if build.version:
        done = subprocess.run(build.version, capture_output=True, text=True, timeout=30, check=False)
        version = (done.stdout + done.stderr).strip()
    return BuildRecord(
        target=spec.target,
        build=spec.name,
        kind=spec.kind,
        command=(),
        env={},
        source=None,
        revision=None,
        dirty=False,
        features=(),
        rustflags=(),
        profile="",
        toolchain="",
        binary=path,
        sha256=sha256(Path(path)),
        build_id=_build_id(Path(path)),
        version=version,
    )


def _record(
    spec: BuildRequest,
    build: CargoBuild | CommandBuild,
    argv: list[str],
    env: dict[str, str],
    made: Path,
    out: Path,
    folder: Path,
) -> BuildRecord:
    """Copy the program into `out` and describe it; the diff of a dirty worktree is kept beside it."""
    binary = out / spec.binary
    shutil.copy2(made, binary)
    state = source.state(build, spec.rev)
    if state.diff:
        (out / "worktree.diff").write_text(state.diff)
    return BuildRecord(
        target=spec.target,
        build=spec.name,
        kind=spec.kind,
        command=tuple(argv),
        env=env,
        source=str(folder),
        revision=state.revision,
        dirty=state.dirty,
        features=spec.features,
        rustflags=spec.rustflags,
        profile=spec.profile,
        toolchain=spec.toolchain,
        binary=spec.binary,
        sha256=sha256(binary),
        build_id=_build_id(binary),
        version=None,
    )


def _checkout(spec: BuildRequest, build: CargoBuild | CommandBuild) -> Path:
    """The user's own folder of the source, which is read and never written."""
    if build.source is None:
        raise BuildError(
            f"target {spec.target} is built from source, and the variable {build.source_env} that says where it is "
            f"is not set: `export {build.source_env}=/path/to/its/checkout`"
        )
    if not build.source.is_dir():
        raise BuildError(f"the source of target {spec.target}, {build.source}, is not a folder")
    return build.source


def _source(spec: BuildRequest, build: CargoBuild) -> Path:
    """The folder to build in: the checkout as it is, or a clean clone at the revision."""
    checkout = _checkout(spec, build)
    if spec.rev == WORKTREE:
        return checkout.resolve()
    top = source.git(checkout, "rev-parse", "--show-toplevel")
    if top is None:
        raise BuildError(f"{checkout} is no git checkout, so it has no revision {spec.rev}")
    root = Path(top.strip())
    key = hashlib.sha256(str(root).encode()).hexdigest()[:8]
    clone = cache_folder() / "sources" / f"{spec.target}-{key}-{spec.rev[:12]}"
    with locked(clone.with_name(f"{clone.name}.lock")):
        if not clone.is_dir():
            _clone(root, spec.rev, clone)
    return clone / checkout.resolve().relative_to(root.resolve())


def _clone(root: Path, rev: str, clone: Path) -> None:
    half = clone.with_name(f"{clone.name}.half")
    shutil.rmtree(half, ignore_errors=True)
    try:
        git("clone", "--quiet", "--shared", "--no-checkout", str(root), str(half))
        git("-C", str(half), "checkout", "--quiet", "--detach", rev)
    except CopyError as error:
        raise BuildError(str(error)) from None
    half.rename(clone)


def _run(argv: list[str], folder: Path, env: dict[str, str], what: str) -> list[dict[str, Any]]:
    """Run a build to its end, its stderr on ours; return the JSON objects it printed, one a line.

    Raises BuildError that ends with the last lines it wrote.
    """
    print(
        f"{what}\n  in {folder}\n  {' '.join(f'{k}={v!r}' for k, v in env.items())} {' '.join(argv)}",
        file=sys.stderr,
        flush=True,
    )
    tail: list[str] = []
    with contained(
        argv, cwd=folder, env=os.environ | env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as child:
        assert child.stdout is not None
        objects = []
        for raw in child.stdout:
            line = foreign.plain(raw.decode(errors="replace").rstrip("\n"))
            if line.startswith("{") and '"reason"' in line:
                objects.append(json.loads(line))
            else:
                print(line, file=sys.stderr, flush=True)
                tail = [*tail[-39:], line]
        code = child.wait()
    if code != 0:
        raise BuildError(f"{what} failed: {argv[0]} exited {code}. Its last words:\n\n" + "\n".join(tail))
    return objects


def _build_id(binary: Path) -> str | None:
    from symbolic.debuginfo import Archive  # only where a program was just built: not at import

    try:
        objects = list(Archive.open(str(binary)).iter_objects())
    except Exception:
        return None  # a script, or a format without build ids
    return objects[0].code_id if objects else None
