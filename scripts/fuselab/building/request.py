"""What a build is, and its name: everything that decides what is compiled, hashed short."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Protocol

import msgspec

from fuselab.building.source import WORKTREE, git, stamp
from fuselab.files import sha256
from fuselab.records.places import Results
from fuselab.targets.model import CargoBuild, CommandBuild, Installed, NoBuild, ProfilerSupport, Target

FRAME_POINTERS = ("-C", "force-frame-pointers=yes")
"""In every build, so that the binary perf looks at is the binary that was timed."""
BUILD_ID = ("-C", "link-arg=-Wl,--build-id=sha1")
"""In every build: symbols are looked up once per build id, and not every linker writes one unasked."""
DEBUG = "limited"
"""Debug information of every build: inlined functions keep their names (line-tables-only loses them)."""


class Customization(Protocol):
    """What a variant may say of its build."""

    @property
    def rev(self) -> str: ...
    @property
    def features(self) -> tuple[str, ...]: ...
    @property
    def rustflags(self) -> tuple[str, ...]: ...
    @property
    def profile(self) -> str | None: ...


@dataclass(frozen=True)
class BuildRequest:
    """One build of one target: made once, however many variants ask for it. Plain data, hashable."""

    target: str
    name: str
    """Folder below `results/builds/<target>`: what it is, and a short hash of all that decides it."""
    kind: str
    binary: str
    """File name in the build's folder; for installed programs their absolute path or bare name."""
    rev: str = WORKTREE
    features: tuple[str, ...] = ()
    rustflags: tuple[str, ...] = ()
    profile: str = ""
    stamp: str = ""
    toolchain: str = ""
    bench: str = ""
    """Name of the Criterion bench, where the build is that of a bench."""
    ignored: tuple[str, ...] = ()
    """Paths in the source that are no part of the program, and so not of `stamp`."""

    @property
    def folder(self) -> str:
        return f"{self.target}/{self.name}"

    def made_otherwise(self, other: BuildRequest) -> bool:
        """Whether both are made by commands from one source, and the commands differ: then so should the programs."""
        one_source = self.kind == other.kind == "command" and self.stamp == other.stamp
        return one_source and self.name != other.name

    def path(self) -> str:
        """Of the program, relative to the repository; absolute for installed ones."""
        return self.binary if self.kind == "installed" else str(Results().build(self.folder) / self.binary)


def bench_request(request: BuildRequest, bench: str) -> BuildRequest:
    """The build of a Criterion bench with everything else as in `request`: a folder beside it."""
    return replace(request, name=f"{request.name}-bench-{bench}", binary=bench, bench=bench)


def build_request(
    target: Target, variant: Customization, supports: Iterable[ProfilerSupport] = ()
) -> BuildRequest | None:
    """The build of `variant` with what `supports` add to it; None for targets without a program."""
    build = target.build
    match build:
        case NoBuild():
            return None
        case Installed():
            path = shutil.which(build.binary) or build.binary
            digest = _short(path, sha256(Path(path)) if Path(path).is_file() else "missing")
            return BuildRequest(target.name, f"installed-{digest}", "installed", path, stamp=digest)
    ignored = _ignored(target, build)
    unset = f"unset-{build.source_env}"
    request = BuildRequest(
        target.name, "", build.kind, Path(build.binary).name, variant.rev, ignored=ignored,
        stamp=unset if build.source is None else stamp(build.source, variant.rev, frozenset(ignored)),
    )  # fmt: skip
    if isinstance(build, CargoBuild):
        return _cargo_request(request, build, variant, tuple(supports))
    digest = _short(*build.argv, *map(str, build.env), request.stamp)
    return replace(request, name=f"{_revision(variant.rev)}-command-{digest}")


def _cargo_request(
    request: BuildRequest, build: CargoBuild, variant: Customization, supports: tuple[ProfilerSupport, ...]
) -> BuildRequest:
    features = tuple(
        sorted({*build.features, *variant.features, *(f for support in supports for f in support.features)})
    )
    rustflags = _flags(
        FRAME_POINTERS, BUILD_ID, variant.rustflags, *(support.rustflags for support in supports)
    )
    profile = variant.profile or build.profile
    toolchain = _rustc_version(build.toolchain, build.source, variant.rev)
    digest = _short(
        request.stamp, *features, "|", *rustflags, "|", profile, DEBUG, toolchain, str(build.default_features),
        *build.args, build.package or "", build.binary,
    )  # fmt: skip
    words = [_revision(variant.rev), *(features or ["plain"])]
    words += [flag for flag in ("tokio_unstable",) if flag in rustflags]
    words += [profile] if profile != "release" else []
    return replace(
        request, name=f"{'-'.join(words)}-{digest}", features=features, rustflags=rustflags, profile=profile,
        toolchain=toolchain,
    )  # fmt: skip


def _flags(*parts: tuple[str, ...]) -> tuple[str, ...]:
    """Concatenate flag lists, leaving out a list that is already in."""
    flags: tuple[str, ...] = ()
    for part in parts:
        if not any(flags[i : i + len(part)] == part for i in range(len(flags))):
            flags += part
    return flags


_FETCH_LIMIT_S = 600.0


def _revision(rev: str) -> str:
    return rev if rev == WORKTREE else rev[:10]


def _ignored(target: Target, build: CargoBuild | CommandBuild) -> tuple[str, ...]:
    """target.yaml, and what a command leaves in its source: neither is a cause to build again."""
    inside = build.source is not None and target.path.is_relative_to(build.source)
    own = [str(target.path.relative_to(build.source))] if inside and build.source else []
    return (*own, *([build.binary] if isinstance(build, CommandBuild) else []))


@cache
def _rustc_version(toolchain: str | None, source: Path | None, rev: str) -> str:
    """What would compile, as `rust-toolchain.toml` in the source may choose; "" without Rust: the build says so."""
    rustc = shutil.which("rustc")
    if rustc is None:
        return ""
    argv = [rustc, *([f"+{toolchain}"] if toolchain else []), "--version"]
    with tempfile.TemporaryDirectory() as folder:
        inside = Path(folder)
        if source is not None and source.is_dir():
            if rev == WORKTREE:
                inside = source
            else:
                _bring_choice(source, rev, inside)
        # rustup may have to fetch what is chosen; what is known of it before and after would be two names.
        done = subprocess.run(
            argv, cwd=inside, capture_output=True, text=True, timeout=_FETCH_LIMIT_S, check=False
        )
    return done.stdout.strip()


def _bring_choice(source: Path, rev: str, folder: Path) -> None:
    """Into `folder`: the file of `rev` that chooses a toolchain, the nearest one as rustup looks for it."""
    top = git(source, "rev-parse", "--show-toplevel") or ""
    for place in (source.resolve(), *source.resolve().parents):
        for name in ("rust-toolchain", "rust-toolchain.toml"):
            if (text := git(place, "show", f"{rev}:./{name}")) is not None:
                (folder / name).write_text(text)
                return
        if str(place) == top.removesuffix("\n"):
            return


def _short(*words: str) -> str:
    return hashlib.sha256(msgspec.json.encode(words)).hexdigest()[:8]
