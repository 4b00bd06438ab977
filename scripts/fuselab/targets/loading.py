"""Reads `targets/<name>/target.yaml` into the frozen model."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from fuselab.schema import units
from fuselab.schema.argvs import check_argv, check_argvs
from fuselab.schema.diagnostics import Diagnostics
from fuselab.schema.reading import Reader, check_name, read_source, ready, service_names, target_names
from fuselab.schema.validation import check_schema
from fuselab.targets import placeholders
from fuselab.targets.model import (
    Backend,
    Build,
    CargoBuild,
    CommandBuild,
    Installed,
    MountTemplate,
    NoBuild,
    Option,
    ProfilerSupport,
    Stopping,
    Target,
)

NO_BACKEND = "none"


def load_target(name: str, repository: Path, profilers: Collection[str] | None = None) -> Target:
    """The target `name`, complete. `profilers` are the names that it may speak of (None: any).

    Raises ExperimentErrors, also for a target that is not there.
    """
    path = repository / "targets" / name / "target.yaml"
    source = read_source(path, repository, "target", target_names(repository))
    diagnostics = Diagnostics(source)
    target = _TargetReader(diagnostics, path, repository, profilers).read()
    diagnostics.raise_if_any()
    return target


class _TargetReader(Reader):
    def __init__(
        self, diagnostics: Diagnostics, path: Path, repository: Path, profilers: Collection[str] | None
    ) -> None:
        super().__init__(diagnostics)
        self.path = path
        self.repository = repository
        self.profilers = profilers

    def read(self) -> Target:
        data = check_schema(self.diagnostics, "target")
        name = self.path.parent.name
        check_name(self.diagnostics, data, name, "folder")
        mount, backends = self._mount(data), self._backends(data)
        target = Target(
            name=name,
            path=self.path,
            title=data.get("title", ""),
            build=self._build(data.get("build", {})),
            mount=mount,
            stop=_stop(data.get("stop", {})),
            backends=backends or {NO_BACKEND: Backend(NO_BACKEND)},
            options={key: self._option(key, part) for key, part in data.get("options", {}).items()},
            profilers={key: self._support(key, part) for key, part in data.get("profilers", {}).items()},
            log_filter=next(iter(self.pairs(data, (), "log_filter")), None),
        )
        self._check(target, data)
        return target

    def _build(self, data: Mapping[str, Any]) -> Build:
        for kind, part in data.items():
            at = ("build", kind)
            match kind:
                case "cargo":
                    return CargoBuild(
                        source=self._source(part),
                        source_env=part.get("source_env"),
                        package=part.get("package"),
                        binary=part.get("binary", ""),
                        features=self.words(part, at, "features"),
                        default_features=part.get("default_features", True),
                        profile=part.get("profile", "release"),
                        toolchain=part.get("toolchain"),
                        args=self.words(part, at, "args"),
                        benches=self.words(part, at, "benches"),
                        needs=self.pairs(part, at, "needs"),
                    )
                case "command":
                    return CommandBuild(
                        source=self._source(part),
                        source_env=part.get("source_env"),
                        argv=self.words(part, at, "argv"),
                        binary=part.get("binary", ""),
                        env=self.pairs(part, at, "env"),
                        needs=self.pairs(part, at, "needs"),
                    )
                case "installed":
                    binary = os.path.expanduser(part.get("binary", ""))
                    return Installed(binary, self.words(part, at, "version"))
        return NoBuild()

    def _source(self, data: Mapping[str, Any]) -> Path | None:
        """The variable if it is set, the path if there is one, else the folder of target.yaml."""
        variable = data.get("source_env")
        if variable and os.environ.get(variable):
            return Path(os.environ[variable]).expanduser().resolve()
        if "source" in data:
            return (self.path.parent / Path(data["source"]).expanduser()).resolve()
        return None if variable else self.path.parent.resolve()

    def _mount(self, data: Mapping[str, Any]) -> MountTemplate:
        part = data.get("mount")
        if part is None:
            return MountTemplate(())
        at = ("mount",)
        return MountTemplate(
            argv=self.words(part, at, "argv"),
            env=self.pairs(part, at, "env"),
            files=tuple(part.get("files", {}).items()),
            prepare=self.argvs(part, at, "prepare"),
            read_only=part.get("read_only", False),
            **({"hang_s": units.seconds(part["hang"])} if "hang" in part else {}),
            pass_env=self.words(part, at, "pass_env"),
            **ready(part),
        )

    def _backends(self, data: Mapping[str, Any]) -> dict[str, Backend]:
        found = {}
        for name, part in data.get("backends", {}).items():
            at = ("backends", name)
            found[name] = Backend(
                name,
                part.get("service"),
                self.words(part, at, "argv"),
                self.pairs(part, at, "env"),
                part.get("persists", True),
            )
        return found

    def _option(self, name: str, part: Mapping[str, Any]) -> Option:
        at = ("options", name)
        return Option(
            name,
            self.words(part, at, "argv"),
            self.pairs(part, at, "env"),
            part.get("description", ""),
            part.get("pattern", ""),
        )

    def _support(self, name: str, part: Mapping[str, Any]) -> ProfilerSupport:
        at = ("profilers", name)
        return ProfilerSupport(
            name=name,
            features=self.words(part, at, "features"),
            rustflags=self.words(part, at, "rustflags"),
            env=self.pairs(part, at, "env"),
            argv=self.words(part, at, "argv"),
            log_filter=next(iter(self.pairs(part, at, "log_filter")), None),
            files=self.words(part, at, "files"),
            unavailable=part.get("unavailable"),
        )

    def _check(self, target: Target, data: Mapping[str, Any]) -> None:
        for name in target.profilers:
            if self.profilers is not None and name not in self.profilers:
                self.diagnostics.unknown(("profilers", name), "profiler", self.profilers, of_key=True)
        services = service_names(self.repository)
        for name, backend in target.backends.items():
            if backend.service is not None and backend.service not in services:
                why = f": there is no services/{backend.service}.yaml"
                self.diagnostics.unknown(("backends", name, "service"), "service", services, why=why)
        if (
            target.mount.argv
            and isinstance(target.build, NoBuild)
            and not self.diagnostics.broken(("build",))
        ):
            message = "a mount needs a program: 'build' says none"
            self.diagnostics.add(("mount",), message, of_key=True)
        if not target.mount.argv and not isinstance(target.build, NoBuild) and "mount" not in data:
            example = 'mount:\n  argv: ["{binary}", "{mountpoint}"]'
            message = "the key 'mount' is missing: a target with a program says how it is mounted"
            self.diagnostics.add(("mount",), message, of_key=True, corrected=example)
        placeholders.check(self.diagnostics, data)
        mount = data.get("mount", {})
        check_argv(self.diagnostics, ("mount", "argv"), mount.get("argv"))
        check_argvs(self.diagnostics, ("mount", "prepare"), mount.get("prepare"))
        check_argv(
            self.diagnostics,
            ("build", "command", "argv"),
            data.get("build", {}).get("command", {}).get("argv"),
        )


def _stop(part: Mapping[str, Any]) -> Stopping:
    given = {key: part[key] for key in ("first", "signal") if key in part}
    if "timeout" in part:
        given["timeout_s"] = units.seconds(part["timeout"])
    return Stopping(**given)
